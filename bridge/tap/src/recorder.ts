/** Mirrors what content sets, as what has changed since the last commit. */

import { CallLog } from "./calls";
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
  const settings = courier.settings();
  courier.owner.records = settings.recordsCalls;
  const newLog = (): CallLog | undefined =>
    settings.recordsCalls ? new CallLog(settings.suspendData, settings.hashLearner) : undefined;
  let log = newLog();
  // null: nothing to report, until content starts again
  let session: Session | null | undefined;
  // whose commits the calls are between, also when it is over
  let latest: Session | null = null;
  const start = (): Session | null => {
    session = null; // should this fail: it is not tried again at every value
    latest = session = begin(version, read, courier, log);
    return session;
  };
  return (method, values, answer, manner, began) => {
    const accepted = manner !== "threw" && isAccepted(answer);
    const starts = accepted && courier.owner.alive &&
      (method === "Initialize" || (method === "SetValue" && session === undefined));
    if (starts && latest) {
      latest = null;
      log = newLog();
    }
    if (log) {
      log.add(latest ? latest.sequence + 1 : 1, method, values, answer, manner, began);
    }
    if (starts) {
      start(); // also of content that was there before this script
    }
    if (method === "SetValue") {
      if (accepted && session) {
        session.set(String(values[0]), String(values[1]));
      }
    } else if (session && manner !== "threw" && (method === "Commit" || method === "Terminate")) {
      session.flush(method === "Terminate" && accepted);
      if (method === "Terminate" && accepted) {
        session = null;
      }
    }
    if (log && latest) {
      latest.noteCall();
    }
  };
}

function isAccepted(answer: unknown): boolean {
  return answer === undefined || answer === true || String(answer) === "true";
}

/** Reads who plays what, once, and opens a session; null where that cannot be known. */
function begin(
  version: Version, readValue: (element: string) => string, courier: Courier, log: CallLog | undefined,
): Session | null {
  const settings = courier.settings();
  if (!settings.key || !settings.bridge) {
    courier.say("not recording: data-key is missing, or data-bridge where the script is served by another host");
    return null;
  }
  const elements = ELEMENTS[version];
  const read = (element: string): string =>
    attempt(() => {
      const began = performance.now();
      const value = readValue(element);
      if (log) {
        log.add(1, "GetValue", [element], value, "tap", began);
      }
      return value;
    });
  const [entry, mode, credit, total, name] = (["entry", "mode", "credit", "total", "name"] as const).map((element) =>
    read(elements[element]),
  );
  // the last one read is one that every LMS has: it leaves no error behind for content to ask for
  const id = read(elements.learner);
  const learner = settings.learner() || (id ? { id, name: name || undefined } : undefined);
  const place = settings.place();
  if (!learner || !place.activity) {
    courier.say("not recording: the LMS does not say who the learner is");
    return null;
  }
  const launch = {
    learner,
    activity: place.activity,
    course: place.course,
    scorm_version: version,
    mode: /^(normal|browse|review)$/.test(mode) ? mode : undefined,
    credit: /^(no-)?credit$/.test(credit) ? credit : undefined,
  };
  const delivery = courier.deliver(settings, launch, log && log.recording);
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
  /** The number of its last commit. */
  sequence = 0;

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

  /** Has calls sent where many wait, or where there is no later time. */
  noteCall(): void {
    this.delivery.noteCall();
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
