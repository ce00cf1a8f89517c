// Shows times in the viewer's zone, and tells the bridge which one that is; the exact time, in UTC, stays in the title.
"use strict";

(() => {
  const written = new Intl.DateTimeFormat(undefined, {
    year: "numeric", month: "short", day: "numeric", hour: "2-digit", minute: "2-digit", second: "2-digit",
  });

  // days in forms and charts are of this zone, from the next page on
  const zone = Intl.DateTimeFormat().resolvedOptions().timeZone;
  if (zone) {
    const secure = location.protocol === "https:" ? "; secure" : "";
    document.cookie = `scorm_bridge_zone=${zone}; path=/audit; max-age=31536000; samesite=lax${secure}`;
  }

  const localise = (within) => {
    for (const element of within.querySelectorAll("time[datetime]")) {
      const moment = new Date(element.dateTime);
      if (!Number.isNaN(moment.getTime())) {
        element.title = element.dateTime;
        element.textContent = written.format(moment);
      }
    }
  };

  localise(document);
  document.addEventListener("audit:fresh", (event) => localise(event.target));
})();
