/** Decides when what was recorded is sent: by the clock, and as its page goes and comes back. */

import type { Recording } from "./calls";
import { Delivery, type Launch } from "./delivery";
import type { Session } from "./recorder";
import type { Settings } from "./settings";
import { adopt } from "./storage";
import type { Owner } from "./wrapping";

export const FLUSH_INTERVAL = 30000;
const LEAVING_ROOM = 5000;

export class Courier {
  readonly sessions = new Set<Session>();
  readonly deliveries = new Set<Delivery>();
  /** This page is going: what is said now is sent now. */
  leaving = false;
  /** Characters of calls that may still be sent as this page goes, so that commits have the room that browsers give. */
  room = 0;
  private blocked = false;

  constructor(readonly owner: Owner, readonly settings: () => Settings) {}

  start(): void {
    const flush = (): void => {
      this.sessions.forEach((session) => session.flush());
      this.deliveries.forEach((delivery) => delivery.sendCalls());
    };
    setInterval(flush, FLUSH_INTERVAL);
    document.addEventListener("visibilitychange", () => {
      if (document.visibilityState === "hidden") {
        flush();
      }
    });
    addEventListener("pagehide", (event) => {
      this.owner.alive = event.persisted;
      this.leaving = true;
      this.room = LEAVING_ROOM;
      flush();
      this.deliveries.forEach((delivery) => delivery.leave());
    });
    addEventListener("pageshow", () => {
      this.owner.alive = true;
      this.leaving = false;
      this.retry();
    });
    addEventListener("online", () => this.retry());
    document.addEventListener("securitypolicyviolation", (event) => this.notice(event));
    if (document.readyState === "complete") {
      this.adopt();
    } else {
      addEventListener("load", () => this.adopt());
    }
  }

  /** Begins a session: it is opened before its first commit. */
  deliver(settings: Settings, launch: Launch, recording?: Recording): Delivery {
    const open = Object.assign({ key: settings.key, launch_id: randomId() }, launch);
    const parcel = { bridge: settings.bridge, open, commits: [], recording, closed: false, at: 0 };
    const learner = launch.learner as { id: string };
    const delivery = new Delivery(parcel, this, !settings.hashLearner);
    if (this.blocked) {
      delivery.giveUp();
    }
    if (settings.hashLearner) {
      digest(learner.id).then(
        (sha256) => {
          open.learner = { sha256 };
          delivery.setReady();
        },
        () => {
          this.say("not recording: data-hash-learner needs a page served by https");
          delivery.giveUp();
        },
      );
    }
    return delivery;
  }

  /** Says something to whoever set up this page and asked for it. */
  say(...words: unknown[]): void {
    if (this.settings().debug) {
      console.info("SCORM bridge tap:", ...words);
    }
  }

  private retry(): void {
    this.deliveries.forEach((delivery) => delivery.retry());
  }

  private adopt(): void {
    for (const parcel of adopt(this.settings().bridge)) {
      const delivery = new Delivery(parcel, this, true, true);
      this.deliveries.add(delivery);
      delivery.advance();
    }
  }

  /** Gives up where the page's policy forbids requests to the bridge: each one would be an error in its console. */
  private notice({ blockedURI, disposition }: SecurityPolicyViolationEvent): void {
    const { bridge } = this.settings();
    if (!this.blocked && disposition === "enforce" && bridge && blockedURI.indexOf(bridge) === 0) {
      this.blocked = true;
      console.warn(`SCORM bridge tap: nothing is recorded. Add ${bridge} to connect-src of this page's CSP.`);
      this.deliveries.forEach((delivery) => delivery.giveUp());
    }
  }
}

function randomId(): string {
  return Array.from(crypto.getRandomValues(new Uint8Array(16)), (byte) => (byte + 256).toString(16).slice(1)).join("");
}

async function digest(text: string): Promise<string> {
  const bytes = await crypto.subtle.digest("SHA-256", new TextEncoder().encode(text));
  return Array.from(new Uint8Array(bytes), (byte) => (byte + 256).toString(16).slice(1)).join("");
}
