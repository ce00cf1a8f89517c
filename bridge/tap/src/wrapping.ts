/**
 * Wraps the methods of an API in place, each once.
 *
 * Every wrapper carries its original, so that the page of the next SCO finds the originals on an API that a page before
 * it had wrapped, and is not called through wrappers whose page is dead.
 */

import type { Version } from "./settings";

/** What a method was called with and what it answered; `began` by `performance.now()`. */
export type Listener = (
  method: Method,
  values: ArrayLike<unknown>,
  answer: unknown,
  manner: Manner,
  began: number,
) => void;
/** How a call went: in the usual way, from inside another one, or with an error that the LMS threw. */
export type Manner = "" | "inner" | "threw";
const TELLING = ["Initialize", "SetValue", "Commit", "Terminate"] as const;
const OTHERS = ["GetValue", "GetLastError", "GetErrorString", "GetDiagnostic"] as const;
export type Method = (typeof TELLING)[number] | (typeof OTHERS)[number];
export type Api = Record<string, any>;

/** The page that a wrapper belongs to; `alive` until it is left. With `records`, it listens to all methods. */
export interface Owner {
  alive: boolean;
  records?: boolean;
}

const nameOf = (method: Method, version: Version): string =>
  version === "2004" ? method : method === "Terminate" ? "LMSFinish" : `LMS${method}`;

/** All realms of a page share it, and no code of an LMS lists it. */
const MARK = Symbol.for("scormBridgeTap");

interface Mark {
  owner: Owner;
  original: Function;
}

/** Returns whether something is an API of a version. */
export function isApi(value: unknown, version: Version): value is Api {
  return isObject(value) && TELLING.every((method) => isFunction((value as Api)[nameOf(method, version)]));
}

/** Returns a function that reads elements of an API past all wrappers. */
export function readerOf(api: Api, version: Version): (element: string) => string {
  return (element) => {
    const value = originalOf(api[nameOf("GetValue", version)]).call(api, element);
    return value === undefined || value === null ? "" : String(value);
  };
}

/**
 * Wraps what of an API is not wrapped by a living page.
 *
 * Returns what is to be handed to content: the API itself, or a facade where it cannot be changed.
 */
export function wrap(api: Api, version: Version, owner: Owner, listen: Listener): Api {
  const wrappers: [string, Function][] = [];
  let changed = true;
  for (const method of owner.records ? [...TELLING, ...OTHERS] : TELLING) {
    const name = nameOf(method, version);
    const current = api[name];
    const mark: Mark | undefined = isFunction(current) && current[MARK];
    if (!isFunction(current) || (mark && mark.owner.alive)) {
      continue;
    }
    const wrapper = wrapped(originalOf(current), method, api, owner, listen);
    wrappers.push([name, wrapper]);
    changed = put(api, name, wrapper) && changed;
  }
  return changed ? api : facade(api, version, wrappers);
}

/** Calls of each method that are going on: an LMS that calls a method from inside itself is heard once. */
const depths: Partial<Record<Method, number>> = {};
/** The same of all methods together. */
let depth = 0;

function wrapped(original: Function, method: Method, api: Api, owner: Owner, listen: Listener): Function {
  const wrapper = function (this: unknown): unknown {
    let answer: unknown;
    let threw = true;
    const began = owner.records ? performance.now() : 0;
    const around = depths[method] || 0;
    depths[method] = around + 1;
    depth++;
    try {
      answer = original.apply(this && (this as Api)[MARK as any] === api ? api : this, arguments);
      threw = false;
    } finally {
      depths[method] = around;
      depth--;
      if (!around) {
        try {
          listen(method, arguments, answer, threw ? "threw" : depth ? "inner" : "", began);
        } catch (error) {
          // the LMS has answered: nothing else counts here
        }
      }
    }
    return answer;
  };
  hide(wrapper, MARK, { owner, original } as Mark);
  hide(wrapper, "length", original.length);
  hide(wrapper, "name", original.name);
  return wrapper;
}

function originalOf(method: any): Function {
  while (method[MARK]) {
    method = (method[MARK] as Mark).original;
  }
  return method;
}

function put(api: Api, name: string, wrapper: Function): boolean {
  try {
    api[name] = wrapper;
  } catch (error) {
    // read-only, in strict code
  }
  if (api[name] !== wrapper) {
    try {
      Object.defineProperty(api, name, { value: wrapper, configurable: true, enumerable: true, writable: true });
    } catch (error) {
      return false;
    }
  }
  return api[name] === wrapper;
}

/** Returns an object that stands before an API which cannot be changed. */
function facade(api: Api, version: Version, wrappers: [string, Function][]): Api {
  const before: Api = Object.create(api);
  hide(before, MARK, api);
  const names = OTHERS.map((method) => nameOf(method, version));
  for (const name of names.filter((each) => isFunction(api[each]))) {
    hide(before, name, function () {
      return api[name].apply(api, arguments);
    });
  }
  for (const [name, wrapper] of wrappers) {
    hide(before, name, wrapper);
  }
  return before;
}

function hide(object: object, name: PropertyKey, value: unknown): void {
  Object.defineProperty(object, name, { value, configurable: true, writable: true });
}

function isObject(value: unknown): boolean {
  return !!value && (typeof value === "object" || isFunction(value));
}

function isFunction(value: unknown): boolean {
  return typeof value === "function";
}
