/**
 * The tap: reports what SCORM content tells its LMS to the bridge, too. Neither may notice.
 *
 * It calls the LMS's API first and gives back what that answered; whatever goes wrong here is swallowed here.
 */

import { watchApis } from "./api-watch";
import { Courier } from "./courier";
import { recorder } from "./recorder";
import { readSettings, scriptOfThisPage } from "./settings";
import type { Owner } from "./wrapping";

const RUNNING = Symbol.for("scormBridgeTap.running");

function start(): void {
  if ((window as any)[RUNNING]) {
    return; // a theme may have it twice
  }
  Object.defineProperty(window, RUNNING, { value: true });
  // while it runs: later nobody can tell which script this was
  const script = scriptOfThisPage();
  const owner: Owner = { alive: true };
  const courier = new Courier(owner, () => readSettings(script));
  courier.start();
  watchApis(window, owner, (version, read) => recorder(version, read, courier));
}

try {
  start();
} catch (error) {
  // a page without the tap is better than one with an error
}
