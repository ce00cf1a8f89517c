// Keeps parts of a page up to date: `data-live` parts are replaced when something was stored; `data-live="offer"` parts,
// and those that somebody is using, when the viewer asks for it. Each needs an id. Pages work without this script.
"use strict";

(() => {
  const SELECTOR = "[data-live][id]";
  const PAUSE = 2000;
  if (!document.querySelector(SELECTOR) || !window.EventSource) return;

  // the original HTML: this runs before times.js shows times in the viewer's zone
  const originals = new Map([...document.querySelectorAll(SELECTOR)].map((part) => [part.id, part.innerHTML]));
  let timer = null;
  let loading = false;
  let again = false;

  const isBusy = (part) => {
    const chosen = document.getSelection();
    return part.contains(document.activeElement) || part.querySelector("details[open]") !== null ||
      (chosen !== null && !chosen.isCollapsed && part.contains(chosen.anchorNode));
  };

  const replace = (part, fresh) => {
    const copy = document.importNode(fresh, true);
    part.replaceWith(copy);
    copy.dispatchEvent(new CustomEvent("audit:fresh", { bubbles: true }));
  };

  const offer = (part, fresh) => {
    let notice = part.previousElementSibling;
    if (!notice || !notice.classList.contains("fresh")) {
      notice = document.createElement("p");
      notice.className = "fresh";
      notice.setAttribute("role", "status");
      const button = document.createElement("button");
      button.type = "button";
      button.textContent = "Show new entries";
      notice.append(button);
      part.before(notice);
    }
    notice.querySelector("button").onclick = () => {
      notice.remove();
      replace(part, fresh);
    };
  };

  const load = async () => {
    loading = true;
    try {
      const answer = await fetch(location.href, { headers: { Accept: "text/html" }, redirect: "error" });
      if (!answer.ok) return;
      const page = new DOMParser().parseFromString(await answer.text(), "text/html");
      for (const part of document.querySelectorAll(SELECTOR)) {
        const fresh = page.getElementById(part.id);
        if (!fresh || fresh.innerHTML === originals.get(part.id)) continue;
        originals.set(part.id, fresh.innerHTML);
        if (part.dataset.live === "offer" || isBusy(part)) offer(part, fresh);
        else replace(part, fresh);
      }
    } catch {
      // the bridge cannot be reached, or the sign-in has ended: the page stays as it is
    } finally {
      loading = false;
      if (again) soon();
    }
  };

  const soon = () => {
    // what is being loaded may be older than this event
    again = loading;
    if (timer !== null || loading || document.hidden) return;
    timer = setTimeout(() => {
      timer = null;
      load();
    }, PAUSE);
  };

  const events = new EventSource("/audit/live");
  events.addEventListener("stored", soon);
  document.addEventListener("visibilitychange", soon);
  window.addEventListener("pagehide", () => events.close());
})();
