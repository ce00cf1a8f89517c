// Numbers the lines of the mapping editor while somebody types, and shows faults beside their lines. Without this script
// the numbers are those of the text as it was loaded, and faults are listed above and below it.
"use strict";

(() => {
  const text = document.getElementById("text");
  const gutter = document.querySelector(".editor .gutter");
  if (!text || !gutter) return;
  const SPARE = 12;

  const number = () => {
    const lines = text.value.split("\n").length;
    text.rows = lines + SPARE;
    while (gutter.childElementCount > lines) gutter.lastElementChild.remove();
    for (let at = gutter.childElementCount; at < lines; at += 1) {
      const span = document.createElement("span");
      span.textContent = at + 1;
      gutter.append(span);
    }
  };

  const place = () => {
    const height = gutter.firstElementChild ? gutter.firstElementChild.getBoundingClientRect().height : 0;
    const top = text.offsetTop + parseFloat(getComputedStyle(text).paddingTop);
    for (const fault of document.querySelectorAll(".beside")) {
      fault.style.top = `${top + (Number(fault.dataset.line) - 1) * height}px`;
      fault.classList.add("placed");
    }
  };

  number();
  place();
  const first = document.querySelector(".beside");
  if (first) first.scrollIntoView({ block: "center" });
  text.addEventListener("input", () => {
    number();
    // the faults are of the text as it was
    document.querySelectorAll(".beside").forEach((fault) => fault.remove());
    gutter.querySelectorAll(".bad").forEach((span) => span.classList.remove("bad"));
  });
})();
