/**
 * The flight recorder: keeps every call with its answer and time, within bounds.
 *
 * Calls are numbered, so that they may be sent twice and what is missing shows. The LMS is asked nothing for it: which
 * error a call led to is known where content asks.
 */

import type { Manner, Method } from "./wrapping";

/** Number, start and duration in ms, number of the commit that follows, method, arguments, answer, manner. */
export type Call = [number, number, number, number, Method, unknown[], unknown, Manner | "tap"];

/** The calls of a session that the bridge has not got yet, and how many there were. */
export interface Recording {
  /** By the page's clock, in ms since the epoch. */
  started_at: number;
  made: number;
  calls: Call[];
}

/** What stands in place of a value that is left out or cut. */
interface CutValue {
  length: number;
  start?: string;
}

export const MAX_WAITING_CALLS = 500;
const MAX_WAITING_LENGTH = 60000;
/** As many as the bridge keeps of a session. */
const MAX_CALLS = 10000;
const MAX_PART_CALLS = 200;
const MAX_VALUE_LENGTH = 4000;
const MAX_ARGUMENTS = 3;
const SUSPEND_DATA = "cmi.suspend_data";
const IDENTITY = /^cmi\.(core\.student|learner)_(id|name)$/;

/** What one session's calls are recorded into. */
export class CallLog {
  readonly recording: Recording = { started_at: Date.now(), made: 0, calls: [] };
  private readonly start = performance.now();
  private lengths: number[] = [];
  private length = 0;

  constructor(private readonly takesSuspendData: boolean, private readonly hidesLearner: boolean) {}

  add(
    commit: number, method: Method, values: ArrayLike<unknown>, answer: unknown, manner: Manner | "tap", began: number,
  ): void {
    const { recording } = this;
    if (++recording.made > MAX_CALLS) {
      return;
    }
    const element = values[0];
    const isHidden =
      (element === SUSPEND_DATA && !this.takesSuspendData) || (this.hidesLearner && IDENTITY.test(String(element)));
    const given = Array.from(values).slice(0, MAX_ARGUMENTS);
    const call: Call = [
      recording.made,
      Math.max(0, Math.round(began - this.start)),
      Math.round(performance.now() - began),
      commit,
      method,
      given.map((value, place) => plain(value, isHidden && place > 0)),
      plain(answer, isHidden && method === "GetValue"),
      manner,
    ];
    recording.calls.push(call);
    const length = JSON.stringify(call).length;
    this.lengths.push(length);
    this.length += length;
    // what was sent since is gone from the beginning
    while (this.lengths.length > recording.calls.length) {
      this.length -= this.lengths.shift()!;
    }
    while (recording.calls.length > MAX_WAITING_CALLS || this.length > MAX_WAITING_LENGTH) {
      recording.calls.shift();
      this.length -= this.lengths.shift()!;
    }
  }
}

/** Returns the first calls after a number that fit into a request of some length. */
export function firstCalls({ calls }: Recording, after: number, maxLength: number): Call[] {
  let length = 0;
  const following = calls.filter((call) => call[0] > after).slice(0, MAX_PART_CALLS);
  const tooMany = following.findIndex((call) => (length += JSON.stringify(call).length + 1) > maxLength);
  return tooMany < 0 ? following : following.slice(0, tooMany);
}

function plain(value: unknown, isHidden: boolean): unknown {
  if (value === undefined || value === null || typeof value === "boolean" || typeof value === "number") {
    return value === undefined ? null : value;
  }
  const text = typeof value === "string" ? value : Object.prototype.toString.call(value);
  if (isHidden) {
    return { length: text.length } as CutValue;
  }
  return text.length > MAX_VALUE_LENGTH
    ? ({ length: text.length, start: text.slice(0, MAX_VALUE_LENGTH) } as CutValue)
    : text;
}
