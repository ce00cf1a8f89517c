/** The run-time side of the course: finds the LMS's API and speaks SCORM 1.2 or SCORM 2004 to it. */

import { patternsOf, responseOf, typeOf } from "./responses.js";

const DIALECTS = {
  "1.2": {
    api: "API",
    calls: {
      initialize: "LMSInitialize",
      get: "LMSGetValue",
      set: "LMSSetValue",
      commit: "LMSCommit",
      terminate: "LMSFinish",
      lastError: "LMSGetLastError",
    },
    elements: {
      exit: "cmi.core.exit",
      location: "cmi.core.lesson_location",
      score: "cmi.core.score",
      sessionTime: "cmi.core.session_time",
      status: "cmi.core.lesson_status",
    },
    response: "student_response",
    results: { incorrect: "wrong" },
    normalExit: "",
    masteryScore: (get) => get("cmi.student_data.mastery_score"),
    duration(centiseconds) {
      const parts = clock(centiseconds);
      return `${pad(parts.hours, 4)}:${pad(parts.minutes)}:${pad(parts.seconds)}.${pad(parts.hundredths)}`;
    },
    // A time of day on the learner's clock: SCORM 1.2 has neither date nor zone.
    moment: (date) => ["time", `${pad(date.getHours())}:${pad(date.getMinutes())}:${pad(date.getSeconds())}`],
  },
  "2004": {
    api: "API_1484_11",
    calls: {
      initialize: "Initialize",
      get: "GetValue",
      set: "SetValue",
      commit: "Commit",
      terminate: "Terminate",
      lastError: "GetLastError",
    },
    elements: {
      exit: "cmi.exit",
      location: "cmi.location",
      score: "cmi.score",
      sessionTime: "cmi.session_time",
      status: "cmi.completion_status",
    },
    response: "learner_response",
    results: {},
    normalExit: "normal",
    masteryScore(get) {
      const scaled = get("cmi.scaled_passing_score");
      return scaled === "" ? "" : String(rounded(Number(scaled) * 100));
    },
    duration(centiseconds) {
      const parts = clock(centiseconds);
      return `PT${parts.hours}H${parts.minutes}M${parts.seconds}.${pad(parts.hundredths)}S`;
    },
    // SCORM 2004 allows two decimals of a second, one fewer than the browser gives.
    moment: (date) => ["timestamp", date.toISOString().replace(/\dZ$/, "Z")],
  },
};

const DESCRIPTION_LENGTH = 250;

const rounded = (number) => Math.round(number * 10000) / 10000;
const pad = (number, width = 2) => String(number).padStart(width, "0");

function clock(centiseconds) {
  const seconds = Math.floor(centiseconds / 100);
  return {
    hours: Math.floor(seconds / 3600),
    minutes: Math.floor(seconds / 60) % 60,
    seconds: seconds % 60,
    hundredths: centiseconds % 100,
  };
}

function apiOf(frame) {
  for (const version of ["2004", "1.2"]) {
    const api = frame[DIALECTS[version].api];
    if (api) {
      return { version, api };
    }
  }
  return null;
}

function searchUpwards(start) {
  // A frame of another origin throws when it is looked into: an API beyond it could not be called either.
  try {
    for (let frame = start; ; frame = frame.parent) {
      const found = apiOf(frame);
      if (found || frame.parent === frame) {
        return found;
      }
    }
  } catch {
    return null;
  }
}

/** The API in the nearest enclosing window, or around the window that opened the outermost one. */
export function findApi(start = window) {
  const found = searchUpwards(start.parent);
  if (found) {
    return found;
  }
  const opener = start.top.opener ?? start.opener;
  return opener ? searchUpwards(opener) : null;
}

/** One session with the LMS, from Initialize to Terminate. */
export class Session {
  #api;
  #dialect;
  #openedAt;

  constructor({ api, version }) {
    this.version = version;
    this.isOpen = false;
    this.#api = api;
    this.#dialect = DIALECTS[version];
  }

  open() {
    this.isOpen = this.#call("initialize", "") === "true";
    this.#openedAt = performance.now();
    return this.isOpen;
  }

  /** What the LMS kept from earlier sessions of the attempt, and the score it wants for passing. */
  launchData() {
    const { location, status } = this.#dialect.elements;
    const get = (element) => this.#call("get", element);
    return {
      location: get(location),
      masteryScore: this.#dialect.masteryScore(get),
      status: get(status),
      suspendData: get("cmi.suspend_data"),
    };
  }

  begin() {
    this.#set(this.#dialect.elements.status, "incomplete");
  }

  place(location, progress, suspendData) {
    this.#set(this.#dialect.elements.location, location);
    this.#set("cmi.suspend_data", suspendData);
    if (this.version === "2004") {
      this.#set("cmi.progress_measure", String(rounded(progress)));
    }
  }

  /** Adds an interaction. It never overwrites one: SCORM 1.2 cannot look for an earlier one by its id. */
  answer(question, answer, result, seconds) {
    const { duration, moment, response, results } = this.#dialect;
    const interaction = `cmi.interactions.${this.#call("get", "cmi.interactions._count") || 0}`;
    const [timeElement, time] = moment(new Date());
    // The type comes first, because in SCORM 2004 it decides how a response and a pattern may look.
    this.#set(`${interaction}.id`, question.id);
    this.#set(`${interaction}.type`, typeOf(question, this.version));
    this.#set(`${interaction}.${timeElement}`, time);
    this.#set(`${interaction}.weighting`, String(question.weight));
    patternsOf(question, this.version).forEach((pattern, place) => {
      this.#set(`${interaction}.correct_responses.${place}.pattern`, pattern);
    });
    this.#set(`${interaction}.${response}`, responseOf(question, answer, this.version));
    this.#set(`${interaction}.result`, results[result] ?? result);
    this.#set(`${interaction}.latency`, duration(Math.round(seconds * 100)));
    if (this.version === "2004") {
      this.#set(`${interaction}.description`, question.prompt.slice(0, DESCRIPTION_LENGTH));
    }
  }

  /** Reports the outcome. In SCORM 1.2 one status says both that it is over and how it went. */
  outcome(score, passed) {
    const { elements } = this.#dialect;
    this.#set(`${elements.score}.min`, "0");
    this.#set(`${elements.score}.max`, "100");
    this.#set(`${elements.score}.raw`, String(score));
    if (this.version === "2004") {
      this.#set(`${elements.score}.scaled`, String(rounded(score / 100)));
      this.#set(elements.status, "completed");
      this.#set("cmi.success_status", passed ? "passed" : "failed");
    } else {
      this.#set(elements.status, passed ? "passed" : "failed");
    }
  }

  leaving({ finished }) {
    this.#set(this.#dialect.elements.exit, finished ? this.#dialect.normalExit : "suspend");
    this.#setTime();
  }

  /** Whether the LMS says that it has saved. */
  commit() {
    this.#setTime();
    return this.#call("commit", "") === "true";
  }

  /** Whether the LMS took the end of the session. */
  close() {
    this.isOpen = this.#call("terminate", "") !== "true";
    return !this.isOpen;
  }

  #setTime() {
    const centiseconds = Math.round((performance.now() - this.#openedAt) / 10);
    this.#set(this.#dialect.elements.sessionTime, this.#dialect.duration(centiseconds));
  }

  #set(element, value) {
    if (this.#call("set", element, value) !== "true") {
      console.warn(`The LMS did not take ${element}: error ${this.#call("lastError")}`);
    }
  }

  #call(name, ...values) {
    return String(this.#api[this.#dialect.calls[name]](...values));
  }
}
