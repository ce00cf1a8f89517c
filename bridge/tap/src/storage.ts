/** What waits for the bridge, in the storage of the LMS's origin, so that the next page can deliver it. */

import type { Parcel } from "./delivery";

const PREFIX = "scormBridgeTap.";
/** Milliseconds for which the bridge can take it: a key or a commit address may last no longer. */
const MAX_AGE = 7 * 24 * 3600 * 1000;
/** Milliseconds after which a page that keeps something is taken for dead. */
const ABANDONED_AFTER = 180 * 1000;
const MAX_PARCELS = 50;

const nameOf = (parcel: Parcel): string => PREFIX + parcel.open.launch_id;

/** Keeps what was not delivered. Where there is no storage, it is lost with its page. */
export function save(parcel: Parcel): void {
  parcel.at = Date.now();
  for (const kept of [parcel, Object.assign({}, parcel, { recording: undefined })]) {
    try {
      localStorage.setItem(nameOf(parcel), JSON.stringify(kept));
      return;
    } catch (error) {
      // full: then commits alone; or blocked as third-party frames' is
    }
  }
}

/** Removes what was delivered, or cannot be. */
export function forget(parcel: Parcel): void {
  try {
    localStorage.removeItem(nameOf(parcel));
  } catch (error) {
    // as above
  }
}

/** Returns what pages that are gone have left for a bridge, and takes it over. */
export function adopt(bridge: string): Parcel[] {
  const adopted: Parcel[] = [];
  try {
    const names = Object.keys(localStorage).filter((name) => name.startsWith(PREFIX));
    for (const name of names.slice(0, MAX_PARCELS)) {
      const parcel = parse(localStorage.getItem(name));
      const age = parcel ? Date.now() - parcel.at : MAX_AGE;
      if (!parcel || age >= MAX_AGE) {
        localStorage.removeItem(name);
      } else if (parcel.bridge === bridge && (parcel.closed || age > ABANDONED_AFTER)) {
        parcel.closed = false;
        save(parcel);
        adopted.push(parcel);
      }
    }
  } catch (error) {
    // no storage
  }
  return adopted;
}

function parse(text: string | null): Parcel | undefined {
  try {
    const parcel = JSON.parse(text || "null");
    return parcel && parcel.open && Array.isArray(parcel.commits) ? parcel : undefined;
  } catch (error) {
    return undefined;
  }
}
