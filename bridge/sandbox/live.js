// Keeps a page of the sandbox up to date: its `data-live` parts are loaded again when something arrived. Entries that
// are open stay open, and so does the focus. Pages work without this script: they show what is new when reloaded.
"use strict";

(() => {
  const SELECTOR = "[data-live][id]";
  const PAUSE = 500;
  let timer = null;
  let isLoading = false;
  let isStale = false;

  const isSelecting = (part) => {
    const chosen = document.getSelection();
    return chosen !== null && !chosen.isCollapsed && part.contains(chosen.anchorNode);
  };

  const replace = (part, fresh) => {
    const copy = document.importNode(fresh, true);
    for (const entry of part.querySelectorAll("details[id]")) {
      const same = copy.querySelector(`#${CSS.escape(entry.id)}`);
      if (same) same.open = entry.open;
    }
    const focused = part.contains(document.activeElement) ? document.activeElement.closest("[id]")?.id : null;
    part.replaceWith(copy);
    const target = focused && document.getElementById(focused);
    if (target) (target.querySelector("summary") ?? target).focus({ preventScroll: true });
  };

  const load = async () => {
    isLoading = true;
    isStale = false;
    try {
      const answer = await fetch(location.href, { headers: { Accept: "text/html" } });
      if (!answer.ok) return;
      const page = new DOMParser().parseFromString(await answer.text(), "text/html");
      for (const part of document.querySelectorAll(SELECTOR)) {
        const fresh = page.getElementById(part.id);
        if (fresh && !isSelecting(part)) replace(part, fresh);
      }
    } catch {
      // it was stopped: the page stays as it is
    } finally {
      isLoading = false;
      if (isStale) soon();
    }
  };

  const soon = () => {
    isStale = true;
    if (timer !== null || isLoading || document.hidden) return;
    timer = setTimeout(() => {
      timer = null;
      load();
    }, PAUSE);
  };

  const events = new EventSource(document.body.dataset.events);
  events.addEventListener("change", soon);
  document.addEventListener("visibilitychange", () => isStale && soon());
  window.addEventListener("pagehide", () => events.close());
})();
