/**
 * The inputs of the quiz, one maker for each question type. A maker gives the element, and two functions: `read` (the
 * answer, or null while there is none) and `write` (puts an earlier answer back).
 */

function element(tag, properties = {}, ...children) {
  const made = document.createElement(tag);
  const { data = {}, ...rest } = properties;
  Object.assign(made, rest);
  Object.assign(made.dataset, data);
  made.append(...children);
  return made;
}

const inputs = (root) => [...root.querySelectorAll("input")];

function options(question, type, entries) {
  const lines = entries.map(({ id, text }) => {
    const input = element("input", { type, name: question.id, value: id, required: type === "radio" });
    return element("label", { className: "option" }, input, element("span", {}, text));
  });
  return element("div", { className: "options" }, ...lines);
}

function single(question, entries) {
  const root = options(question, "radio", entries);
  return {
    root,
    read: () => inputs(root).find((input) => input.checked)?.value ?? null,
    write: (id) => inputs(root).forEach((input) => (input.checked = input.value === id)),
  };
}

function trueFalse(question) {
  const { root, read, write } = single(question, [
    { id: "true", text: "True" },
    { id: "false", text: "False" },
  ]);
  return {
    root,
    read: () => (read() === null ? null : read() === "true"),
    write: (answer) => write(String(answer)),
  };
}

function several(question) {
  const root = options(question, "checkbox", question.choices);
  return {
    root,
    read() {
      const ids = inputs(root).filter((input) => input.checked).map((input) => input.value);
      return ids.length > 0 ? ids : null;
    },
    write: (ids) => inputs(root).forEach((input) => (input.checked = ids.includes(input.value))),
  };
}

/** One select for each row: [{id, text, answers}]. */
function pairs(rows) {
  const selects = rows.map(({ id, text, answers }) => {
    const choices = answers.map((answer) => new Option(answer.text, answer.id));
    const select = element("select", { required: true, data: { pair: id } }, new Option("Choose…", ""), ...choices);
    return { id, select, line: element("label", { className: "pair" }, element("span", {}, text), select) };
  });
  return {
    root: element("div", { className: "pairs" }, ...selects.map(({ line }) => line)),
    read() {
      const answer = Object.fromEntries(selects.map(({ id, select }) => [id, select.value]));
      return Object.values(answer).includes("") ? null : answer;
    },
    write: (answer) => selects.forEach(({ id, select }) => (select.value = answer[id] ?? "")),
  };
}

function sequence({ items }) {
  const list = element("ol", { className: "sequence" });
  const said = element("p", { className: "unseen", role: "status" });

  function move(line, step, button) {
    const neighbour = step < 0 ? line.previousElementSibling : line.nextElementSibling;
    if (!neighbour) {
      return;
    }
    neighbour[step < 0 ? "before" : "after"](line);
    // Moving an element in the document takes the focus off its button.
    button.focus();
    const place = [...list.children].indexOf(line) + 1;
    said.textContent = `${line.firstChild.textContent}: now ${place} of ${items.length}`;
  }

  const lines = items.map(({ id, text }) => {
    const line = element("li", { data: { item: id } }, element("span", {}, text));
    for (const [step, direction, sign] of [[-1, "up", "↑"], [1, "down", "↓"]]) {
      const ariaLabel = `Move ${text} ${direction}`;
      const button = element("button", { type: "button", className: "quiet", ariaLabel }, sign);
      button.addEventListener("click", () => move(line, step, button));
      line.append(button);
    }
    return line;
  });
  list.append(...lines);
  return {
    root: element("div", {}, list, said),
    read: () => [...list.children].map((line) => line.dataset.item),
    write: (ids) => list.append(...ids.map((id) => lines.find((line) => line.dataset.item === id))),
  };
}

function field(tag, properties) {
  const input = element(tag, { required: true, autocomplete: "off", ...properties });
  return {
    root: element("label", { className: "field" }, element("span", {}, "Your answer"), input),
    read: () => input.value.trim() || null,
    write: (answer) => (input.value = answer),
  };
}

const MAKERS = {
  "true-false": trueFalse,
  choice: several,
  matching: ({ sources, targets }) => pairs(sources.map((source) => ({ ...source, answers: targets }))),
  sequencing: sequence,
  numeric: () => field("input", { type: "number", step: "any" }),
  "fill-in": () => field("input", { type: "text", maxLength: 200 }),
  // Every answer has to fit into the suspend data, of which SCORM 1.2 promises 4096 characters.
  "long-fill-in": () => field("textarea", { rows: 5, maxLength: 1000 }),
  likert: (question) => single(question, question.choices),
  performance: ({ steps }) => pairs(steps),
  other: () => field("input", { type: "time" }),
};

const VERDICTS = { correct: "Correct.", incorrect: "Not correct.", neutral: "Noted." };

/** A page of the quiz. `onAnswer` is given the answer and returns "correct", "incorrect" or "neutral". */
export function questionPage(question, title, onAnswer) {
  const { root, read, write } = MAKERS[question.type](question);
  const submit = element("button", { type: "submit", className: "primary" }, "Submit answer");
  const fields = element("fieldset", {}, element("legend", {}, question.prompt), root, submit);
  const feedback = element("p", { className: "feedback", role: "status", tabIndex: -1 });
  const form = element("form", { data: { question: question.id, type: question.type } }, fields, feedback);

  function settle(result) {
    fields.disabled = true;
    submit.hidden = true;
    form.dataset.result = result;
    feedback.replaceChildren(element("strong", {}, VERDICTS[result]), ` ${question.feedback}`);
  }

  form.addEventListener("submit", (submission) => {
    submission.preventDefault();
    const answer = read();
    if (answer === null) {
      feedback.textContent = "Choose an answer first.";
      return;
    }
    settle(onAnswer(answer));
    // The button that had the focus is gone.
    feedback.focus();
  });

  const heading = element("h1", { tabIndex: -1 }, title);
  return {
    page: element("article", { hidden: true, data: { page: question.id } }, heading, form),
    restore(answer, result) {
      write(answer);
      settle(result);
    },
  };
}
