/** Mirrors what content sets, as what has changed since the last commit. */

import type { Courier } from "./courier";
import { type Delivery, later } from "./delivery";
import type { Version } from "./settings";
import type { Listener } from "./wrapping";

const ELEMENTS: Record<Version, Record<"learner" | "name" | "mode" | "credit" | "entry" | "total", string>> = {
  "1.2": {
    entry: "cmi.core.entry",
    mode: "cmi.core.lesson_mode",
    credit: "cmi.core.credit",
    total: "cmi.core.total_time",
    name: "cmi.core.student_name",
    learner: "cmi.core.student_id",
  },
  "2004": {
    entry: "cmi.entry",
    mode: "cmi.mode",
    credit: "cmi.credit",
    total: "cmi.total_time",
    name: "cmi.learner_name",
    learner: "cmi.learner_id",
  },
};
const SUSPEND_DATA = "cmi.suspend_data";

/** Returns what listens to the calls of one API. */
export function recorder(version: Version, read: (element: string) => string, courier: Courier): Listener {
  // null: nothing to report, until content starts again
  let session: Session | null | undefined;
  return (method, values, answer) => {
    const accepted = answer === undefined || answer === true || String(answer) === "true";
    if (method === "Initialize") {
      if (accepted && courier.owner.alive) {
        session = null; // should this fail: it is not tried again at every value
        session = begin(version, read, courier);
      }
    } else if (method === "SetValue") {
      if (accepted && session === undefined && courier.owner.alive) {
        session = null;
        session = begin(version, read, courier); // content that was there before this script
      }
      if (accepted && session) {
        session.set(String(values[0]), String(values[1]));
      }
    } else if (session) {
      session.flush(method === "Terminate" && accepted);
      if (method === "Terminate" && accepted) {
        session = null;
      }
    }
  };
}

/** Reads who plays what, once, and opens a session; null where that cannot be known. */
function begin(version: Version, read: (element: string) => string, courier: Courier): Session | null {
  const settings = courier.settings();
  if (!settings.key || !settings.bridge) {
    courier.say("not recording: data-key is missing, or data-bridge where the script is served by another host");
    return null;
  }
  const elements = ELEMENTS[version];
  const [entry, mode, credit, total, name] = (["entry", "mode", "credit", "total", "name"] as const).map((element) =>
    attempt(() => read(elements[element])),
  );
  // the last one read is one that every LMS has: it leaves no error behind for content to ask for
  const id = attempt(() => read(elements.learner));
  const learner = settings.learner() || (id ? { id, name: name || undefined } : undefined);
  const place = settings.place();
  if (!learner || !place.activity) {
    courier.say("not recording: the LMS does not say who the learner is");
    return null;
  }
  const delivery = courier.deliver(settings, {
    learner,
    activity: place.activity,
    course: place.course,
    scorm_version: version,
    mode: /^(normal|browse|review)$/.test(mode) ? mode : undefined,
    credit: /^(no-)?credit$/.test(credit) ? credit : undefined,
  });
  const session = new Session(version, settings.suspendData, delivery, courier);
  if (entry) {
    session.set(elements.entry, entry);
  }
  if (entry === "resume" && total) {
    session.set(elements.total, total);
  }
  session.flush(false, true);
  return session;
}

/** What one session has set and not yet committed. */
export class Session {
  private values: Record<string, string> = {};
  private sequence = 0;

  constructor(
    private readonly version: Version,
    private readonly takesSuspendData: boolean,
    private readonly delivery: Delivery,
    private readonly courier: Courier,
  ) {
    courier.sessions.add(this);
  }

  set(element: string, value: string): void {
    if (element === SUSPEND_DATA && !this.takesSuspendData) {
      return;
    }
    this.values[element] = value;
    if (this.courier.leaving) {
      // whatever else this handler sets comes along, and nothing comes after it
      later(() => this.flush());
    }
  }

  /** Commits what has changed; with `always`, even nothing. */
  flush(terminated = false, always = terminated): void {
    if (!always && !Object.keys(this.values).length) {
      return;
    }
    const cmi = this.values;
    this.values = {};
    this.delivery.push({
      cmi,
      sequence: ++this.sequence,
      terminated,
      committed_at: new Date().toISOString(),
      scorm_version: this.version,
    });
    if (terminated) {
      this.courier.sessions.delete(this);
    }
  }
}

function attempt(ask: () => string): string {
  try {
    return ask();
  } catch (error) {
    return "";
  }
}
