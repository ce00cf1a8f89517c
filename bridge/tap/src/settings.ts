/** What the page says of itself: attributes of the script's element, and `window.scormBridgeTap` over them. */

import { placeOf } from "./lms-pages";

export type Version = "1.2" | "2004";

/** An activity or course: its id, and perhaps its name. */
export interface Named {
  id: string;
  name?: string;
}

/** Where content is played. */
export interface Place {
  activity?: Named;
  course?: Named;
}

type Given<T> = T | (() => T | undefined);
type Id = string | number | Named;

/** What `window.scormBridgeTap` may hold; functions are asked when content starts. */
export interface PageSettings {
  key?: string;
  bridge?: string;
  activity?: Given<Id>;
  course?: Given<Id>;
  learner?: Given<Id>;
  hashLearner?: boolean;
  suspendData?: boolean;
  record?: string;
  debug?: boolean;
}

/** Settings as the rest of the tap uses them. */
export interface Settings {
  key: string;
  bridge: string;
  hashLearner: boolean;
  suspendData: boolean;
  recordsCalls: boolean;
  debug: boolean;
  learner(): Named | undefined;
  place(): Place;
}

const MAX_NAME_LENGTH = 200;

/** Returns the element that this script came from, as long as it runs. */
export function scriptOfThisPage(): HTMLScriptElement | null {
  const current = document.currentScript as HTMLScriptElement | null;
  return current || document.querySelector("script[data-key^=pk_]");
}

/** Returns the settings that hold now. */
export function readSettings(script: HTMLScriptElement | null): Settings {
  const page: PageSettings = (window as any).scormBridgeTap || {};
  const attribute = (name: string): string | undefined => (script && script.getAttribute(`data-${name}`)) || undefined;
  const flag = (own: boolean | undefined, name: string): boolean =>
    own === undefined ? !!script && script.hasAttribute(`data-${name}`) && attribute(name) !== "false" : own;
  const bridge = page.bridge || attribute("bridge") || (script && script.src && new URL(script.src).origin) || "";
  return {
    key: page.key || attribute("key") || "",
    bridge: bridge.replace(/\/+$/, ""),
    hashLearner: flag(page.hashLearner, "hash-learner"),
    suspendData: flag(page.suspendData, "suspend-data"),
    recordsCalls: (page.record || attribute("record")) === "calls",
    debug: flag(page.debug, "debug"),
    learner: () => named(page.learner) || named(attribute("learner")),
    place() {
      const found = placeOf(window);
      const activity = named(page.activity) || named(attribute("activity")) || found.activity;
      if (activity && !activity.name) {
        activity.name = attribute("activity-name") || document.title.trim().slice(0, MAX_NAME_LENGTH) || undefined;
      }
      return { activity, course: named(page.course) || named(attribute("course")) || found.course };
    },
  };
}

function named(given: Given<Id> | undefined): Named | undefined {
  const value = typeof given === "function" ? given() : given;
  if (value === undefined || value === null || value === "") {
    return undefined;
  }
  return typeof value === "object" ? { id: String(value.id), name: value.name } : { id: String(value) };
}
