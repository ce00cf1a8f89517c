/**
 * Brings one session's commits to the bridge, in their order, each until it was answered.
 *
 * A commit has its number in the session, and a session its launch id, so that anything may be sent twice.
 */

import { type Recording, firstCalls } from "./calls";
import type { Courier } from "./courier";
import { forget, save } from "./storage";

/** The body that opens a session, but for the key. */
export interface Launch {
  learner: { id: string; name?: string } | { sha256: string };
  activity: { id: string; name?: string };
  course?: { id: string; name?: string };
  scorm_version: string;
  mode?: string;
  credit?: string;
}

/** A commit in the bridge's own format: what was set since the one before. */
export interface Commit {
  cmi: Record<string, string>;
  sequence: number;
  terminated: boolean;
  committed_at: string;
  scorm_version: string;
}

/** What is kept while the bridge cannot be reached. */
export interface Parcel {
  bridge: string;
  open: Launch & { key: string; launch_id: string };
  url?: string;
  commits: Commit[];
  recording?: Recording;
  /** Its page is gone, so that another one may deliver it. */
  closed: boolean;
  at: number;
}

interface Answer {
  status: number;
  retryAfter: number;
  text: string;
}

export const MAX_COMMITS = 500;
/** Characters of a body that certainly fits into what browsers send for a page that is gone: 64 KiB. */
const MAX_KEEPALIVE_LENGTH = 15000;
/** Calls that wait for no clock any longer. */
const MANY_CALLS = 50;
const CALLS_REST = 25000;
const MAX_BACKOFF = 64000;
const NOBODY: Answer = { status: 0, retryAfter: 0, text: "" };

export class Delivery {
  private busy = false;
  private timer = 0;
  private failures = 0;
  private reopened = false;
  private over = false;
  private readonly underWay = new Set<Commit>();
  private sendsCalls = false;
  /** Number of the last call that is under way or was answered. */
  private lastCall = 0;
  private reported = 0;
  /** Until when no calls are sent, as some were not taken. */
  private callsRest = 0;

  constructor(
    private readonly parcel: Parcel,
    private readonly courier: Courier,
    private ready: boolean,
    private readonly adopted = false,
  ) {}

  /** Says that the launch is complete. */
  setReady(): void {
    this.ready = true;
    this.advance();
  }

  push(commit: Commit): void {
    const { commits } = this.parcel;
    if (this.over) {
      return;
    }
    commits.push(commit);
    if (commits.length > MAX_COMMITS) {
      // the first one may be under way
      const [older, newer] = commits.splice(1, 2);
      commits.splice(1, 0, Object.assign({}, newer, { cmi: Object.assign({}, older.cmi, newer.cmi) }));
    }
    this.courier.deliveries.add(this);
    if (this.courier.leaving) {
      this.leave();
    } else {
      // starting a request takes longer than content is to wait for its call
      later(() => this.advance());
    }
  }

  /** Sends what can be sent now. */
  advance(): void {
    if (this.over) {
      return;
    }
    if (this.courier.leaving) {
      this.leave();
    } else if (this.ready && !this.busy && !this.timer && this.parcel.commits.length) {
      this.sendNext();
    } else if (this.adopted && !this.parcel.commits.length) {
      this.sendCalls();
    } else if (this.failures) {
      this.keep();
    }
  }

  /** Tries at once what was to be tried later. */
  retry(): void {
    clearTimeout(this.timer);
    this.timer = 0;
    this.advance();
  }

  /** Sends everything that is not under way, in ways that outlive the page. */
  leave(): void {
    const { parcel } = this;
    if (!this.ready || !(parcel.commits.length || (parcel.recording && parcel.recording.calls.length))) {
      return;
    }
    parcel.closed = true;
    this.keep();
    if (!parcel.url) {
      return;
    }
    for (const commit of parcel.commits.filter((each) => !this.underWay.has(each))) {
      this.underWay.add(commit);
      const body = JSON.stringify(commit);
      if (typeof Request === "function" && "keepalive" in Request.prototype) {
        const url = parcel.url;
        post(url, body, true, (answer) => {
          if (answer.status) {
            this.settle(false, commit, answer);
          } else {
            navigator.sendBeacon(url, body);
          }
        });
      } else {
        navigator.sendBeacon(parcel.url, body);
      }
    }
    this.sendCalls();
  }

  /** Notices a call that was recorded. */
  noteCall(): void {
    if (this.over) {
      return;
    }
    this.courier.deliveries.add(this);
    if (this.courier.leaving) {
      later(() => this.leave());
    } else if (this.hasManyCalls()) {
      later(() => this.sendCalls());
    }
  }

  /** Sends calls where nothing of the session's results waits; what fails is tried again when it is time for more. */
  sendCalls(): void {
    const { parcel, courier } = this;
    const { recording, url } = parcel;
    const { leaving } = courier;
    if (!recording || !url || this.over || navigator.onLine === false) {
      return;
    }
    if (!leaving && (this.sendsCalls || Date.now() < this.callsRest || this.busy || this.failures || parcel.commits.length)) {
      return;
    }
    const calls = firstCalls(recording, this.lastCall, leaving ? courier.room : MAX_KEEPALIVE_LENGTH);
    if (!calls.length && (leaving || this.reported === recording.made)) {
      return;
    }
    const { made } = recording;
    const body = JSON.stringify({ started_at: recording.started_at, made, calls });
    const last = (this.lastCall = calls.length ? calls[calls.length - 1][0] : this.lastCall);
    if (leaving) {
      courier.room -= body.length;
    }
    this.sendsCalls = true;
    // what outlives the page is limited, and commits come first
    post(url.replace("/commits?", "/calls?"), body, leaving, ({ status, retryAfter }) => {
      this.sendsCalls = false;
      courier.say("calls", status || "no answer", parcel.open.activity.id);
      if (status >= 200 && status < 300) {
        this.reported = made;
        recording.calls = recording.calls.filter((call) => call[0] > last);
        if (this.adopted || this.hasManyCalls()) {
          this.sendCalls();
        }
      } else if (!status || status === 408 || status === 425 || status === 429 || status >= 500) {
        this.lastCall = 0;
        this.callsRest = Date.now() + Math.max(CALLS_REST, retryAfter * 1000);
      } else {
        parcel.recording = undefined;
      }
      this.finish();
    });
  }

  private hasManyCalls(): boolean {
    const { recording } = this.parcel;
    return !!recording && Math.min(recording.calls.length, recording.made - this.lastCall) >= MANY_CALLS;
  }

  private sendNext(): void {
    const { parcel } = this;
    const commit = parcel.commits[0];
    const opening = !parcel.url;
    if (navigator.onLine === false) {
      this.settle(opening, commit, NOBODY);
      return;
    }
    const body = JSON.stringify(opening ? parcel.open : commit);
    // what outlives the page is limited, so that it must not be what keeps failing
    const keepalive = body.length < MAX_KEEPALIVE_LENGTH && !this.failures;
    this.busy = true;
    if (!opening && keepalive) {
      this.underWay.add(commit);
    }
    post(parcel.url || `${parcel.bridge}/v1/browser/sessions`, body, keepalive, (answer) => {
      this.busy = false;
      this.settle(opening, commit, answer);
    });
  }

  private settle(opening: boolean, commit: Commit, answer: Answer): void {
    const { parcel } = this;
    const { status } = answer;
    this.underWay.delete(commit);
    if (this.over) {
      return;
    }
    this.courier.say(opening ? "session" : `commit ${commit.sequence}`, status || "no answer", parcel.open.activity.id);
    if (status >= 200 && status < 300) {
      this.failures = 0;
      if (opening) {
        parcel.url = JSON.parse(answer.text).commit_url as string;
      } else {
        this.reopened = false;
        this.drop(commit);
      }
    } else if (!status || status === 408 || status === 425 || status === 429 || status >= 500) {
      this.failures++;
      this.keep();
      const backoff = Math.min(MAX_BACKOFF, 500 * Math.pow(2, this.failures)) * (0.5 + Math.random());
      this.timer = setTimeout(() => this.retry(), Math.max(answer.retryAfter * 1000, backoff)) as unknown as number;
    } else if (opening || ((status === 401 || status === 404) && this.reopened)) {
      this.giveUp();
    } else if (status === 401 || status === 404) {
      // its address is valid for a week: a new one is for the same session
      parcel.url = undefined;
      this.reopened = true;
    } else {
      this.drop(commit);
    }
    this.advance();
  }

  /** Forgets the session: the bridge does not take it. */
  giveUp(): void {
    this.over = true;
    this.parcel.commits = [];
    forget(this.parcel);
    this.courier.deliveries.delete(this);
  }

  private drop(commit: Commit): void {
    const { parcel } = this;
    parcel.commits = parcel.commits.filter((each) => each !== commit);
    if (commit.terminated || this.hasManyCalls()) {
      later(() => this.sendCalls());
    }
    this.finish();
  }

  /** Forgets what was delivered, once all of it was. */
  private finish(): void {
    const { parcel } = this;
    const { commits, recording } = parcel;
    if (!commits.length && !(recording && recording.calls.length)) {
      forget(parcel);
      this.courier.deliveries.delete(this);
    } else if (this.failures || parcel.closed || this.adopted) {
      this.keep();
    } else if (!commits.length) {
      forget(parcel);
    }
  }

  private keep(): void {
    if (this.ready) {
      save(this.parcel);
    }
  }
}

const send = typeof fetch === "function" ? fetch.bind(window) : undefined;

/** Runs something once the code that runs now has returned. An error in it is nobody's. */
export function later(run: () => void): void {
  Promise.resolve().then(run).catch(() => undefined);
}

/** Posts text, which no browser asks permission for first. Never fails: status 0 is no answer. */
function post(url: string, body: string, keepalive: boolean, settle: (answer: Answer) => void): void {
  request(url, body, keepalive)
    .catch(() => NOBODY)
    .then(settle)
    .catch(() => undefined);
}

async function request(url: string, body: string, keepalive: boolean): Promise<Answer> {
  const response = await send!(url, {
    method: "POST",
    body,
    keepalive,
    mode: "cors",
    credentials: "omit",
    cache: "no-store",
  });
  const text = await response.text();
  return { status: response.status, retryAfter: Number(response.headers.get("Retry-After")) || 0, text };
}
