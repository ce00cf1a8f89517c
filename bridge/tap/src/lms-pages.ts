/** Which activity and course a page of an LMS plays. Ids are those that `scorm-bridge import` gives, where it can. */

import type { Named, Place } from "./settings";

type Reader = (page: Window & Record<string, any>, query: URLSearchParams) => Place | undefined;

const id = (value: unknown): Named | undefined =>
  value === undefined || value === null || value === "" ? undefined : { id: String(value) };

/** Moodle: the number of the SCO, which its player changes without loading the page again. */
const moodle: Reader = ({ document, location }, query) => {
  if (!/\/mod\/scorm\/(player|loadSCO)\.php$/.test(location.pathname)) {
    return undefined;
  }
  const loaded = ["external-scormapi", "scorm_object"].map((name) => {
    const element = document.getElementById(name);
    return element && (element.getAttribute("src") || element.getAttribute("data"));
  });
  const sco = loaded.map((address) => /[?&]scoid=(\d+)/.exec(address || "")).find(Boolean);
  const course = document.body && /\bcourse-(\d+)/.exec(document.body.className);
  return { activity: id(sco ? sco[1] : query.get("scoid")), course: id(course && course[1]) };
};

/** Open edX: the key of the block. Its pages have several blocks, of which one has the API. */
const openEdx: Reader = ({ document, location }) => {
  const block = /(?:block-v1:|i4x:\/\/)[^"'?#]*/;
  const elements = Array.from(document.querySelectorAll("[data-usage-id][data-block-type*=scorm]"));
  const element = elements.find((each) => !!each.querySelector("iframe")) || elements[0];
  const key = element
    ? element.getAttribute("data-usage-id")
    : (/\/xblock\/(.+@scorm[^/]*)/.exec(decodeURIComponent(location.pathname)) || [])[1];
  const found = block.exec(key || "");
  if (!found) {
    return undefined;
  }
  const course = (element && element.getAttribute("data-course-id")) || found[0].split("+type@")[0];
  return { activity: id(found[0]), course: id(course.replace(/^block-v1:/, "course-v1:")) };
};

/** ILIAS: the SCO that its SCORM 1.2 player names, else the learning module. */
const ilias: Reader = (page, query) => {
  if (!/\bilSAHSPresentationGUI\b/i.test(page.location.search)) {
    return undefined;
  }
  const module = query.get("ref_id");
  return { activity: id((page.iv && page.iv.launchId) || module), course: id(module) };
};

/** Chamilo: the item of the learning path, which its player changes without loading the page again. */
const chamilo: Reader = (page, query) => {
  if (!/\/lp_controller\.php$/.test(page.location.pathname)) {
    return undefined;
  }
  const item = (page.olms && page.olms.lms_item_id) || query.get("item_id");
  return { activity: id(item || query.get("lp_id")), course: id(query.get("cidReq") || query.get("cid")) };
};

/** Sakai: the content package, and the site. */
const sakai: Reader = ({ location }, query) => {
  const site = /\/portal\/(?:site|tool)\/([^/]+)/.exec(location.pathname);
  const contentPackage = query.get("contentPackageId");
  return contentPackage ? { activity: id(contentPackage), course: id(site && site[1]) } : undefined;
};

const READERS = [moodle, openEdx, ilias, chamilo, sakai];

/** Parameters that differ from visit to visit: no part of what a page is. */
const PASSING = /^(_|t|ts|time|nonce|token|sid|sesskey|session|session_?id|phpsessid|jsessionid|attempt|lang)$/i;

/** Returns what a page plays: as its LMS has it, else its own address. Looks through the frames around it. */
export function placeOf(page: Window): Place {
  for (let frame = page, depth = 0; depth < 8; frame = frame.parent, depth++) {
    try {
      const query = new URLSearchParams(frame.location.search);
      const found = READERS.reduce<Place | undefined>(
        (place, reader) => place || reader(frame as any, query),
        undefined,
      );
      if (found && found.activity) {
        return found;
      }
    } catch (error) {
      break; // of another origin
    }
    if (frame.parent === frame) {
      break;
    }
  }
  return { activity: id(addressOf(page.location)) };
}

function addressOf({ origin, pathname, search }: Location): string {
  const lasting = search
    .slice(1)
    .split("&")
    .filter((pair) => pair && !PASSING.test(decodeURIComponent(pair.split("=")[0])));
  return origin + pathname.replace(/;jsessionid=[^/]*/i, "") + (lasting.length ? `?${lasting.join("&")}` : "");
}
