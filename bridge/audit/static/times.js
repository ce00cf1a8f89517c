// Shows times in the viewer's zone; the exact time, in UTC, stays in the title.
"use strict";

(() => {
  const written = new Intl.DateTimeFormat(undefined, {
    year: "numeric", month: "short", day: "numeric", hour: "2-digit", minute: "2-digit", second: "2-digit",
  });

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
