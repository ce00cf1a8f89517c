/**
 * How an answer is judged, and how it is written down for each SCORM version.
 *
 * The course keeps answers as plain data: a boolean (true-false), a list of ids (choice, sequencing), an object of
 * id to id (matching, performance), or text (the others).
 */

const LETTERS = "abcdefghijklmnopqrstuvwxyz";

// SCORM 1.2 knows neither of these two types. Both hold text, as fill-in does.
const TYPE_IN_1_2 = { "long-fill-in": "fill-in", other: "fill-in" };

// Responses in SCORM 1.2 name their parts by single characters, so ids become their places in the list.
const letter = (list, id) => LETTERS[list.findIndex((entry) => entry.id === id)];
const digit = (list, id) => String(list.findIndex((entry) => entry.id === id) + 1);

// A delimiter typed by the learner would split the text in two, and a line break is not allowed everywhere.
const oneString = (text) => text.replaceAll("[,]", ",").replace(/\s+/g, " ").trim();

const sameSet = (left, right) => left.length === right.length && left.every((id) => right.includes(id));
const sameList = (left, right) => left.length === right.length && left.every((id, place) => id === right[place]);
const samePairs = (left, right) => Object.keys(right).every((id) => left[id] === right[id]);
const sameText = (left, right) => oneString(left).toLowerCase() === right.toLowerCase();

const text = { "1.2": (_, answer) => oneString(answer).slice(0, 255), "2004": (_, answer) => oneString(answer) };

const TYPES = {
  "true-false": {
    "1.2": (_, answer) => (answer ? "t" : "f"),
    "2004": (_, answer) => String(answer),
    isRight: (answer, correct) => answer === correct,
  },
  choice: {
    "1.2": ({ choices }, ids) => ids.map((id) => letter(choices, id)).join(","),
    "2004": (_, ids) => ids.join("[,]"),
    // In SCORM 1.2 the braces say that all of the choices together are the answer, not any one of them.
    patterns: { "1.2": ({ correct }, write) => [`{${write(correct)}}`] },
    isRight: sameSet,
  },
  matching: {
    "1.2": ({ sources, targets }, pairs) =>
      sources.map(({ id }) => `${digit(sources, id)}.${letter(targets, pairs[id])}`).join(","),
    "2004": ({ sources }, pairs) => sources.map(({ id }) => `${id}[.]${pairs[id]}`).join("[,]"),
    patterns: { "1.2": ({ correct }, write) => [`{${write(correct)}}`] },
    isRight: samePairs,
  },
  sequencing: {
    "1.2": ({ items }, ids) => ids.map((id) => letter(items, id)).join(","),
    "2004": (_, ids) => ids.join("[,]"),
    isRight: sameList,
  },
  numeric: {
    "1.2": (_, answer) => String(Number(answer)),
    "2004": (_, answer) => String(Number(answer)),
    patterns: {
      "1.2": ({ correct }) => [correct.min === correct.max ? `${correct.min}` : `${correct.min}:${correct.max}`],
      "2004": ({ correct }) => [`${correct.min}[:]${correct.max}`],
    },
    isRight: (answer, { min, max }) => Number(answer) >= min && Number(answer) <= max,
  },
  "fill-in": {
    ...text,
    patterns: {
      "1.2": ({ correct }) => correct,
      "2004": ({ correct }) => correct.map((accepted) => `{case_matters=false}${accepted}`),
    },
    isRight: (answer, correct) => correct.some((accepted) => sameText(answer, accepted)),
  },
  "long-fill-in": text,
  likert: {
    "1.2": ({ choices }, id) => letter(choices, id),
    "2004": (_, id) => id,
  },
  performance: {
    "1.2": ({ steps }, answers) =>
      steps.map((step) => `${digit(steps, step.id)}.${letter(step.answers, answers[step.id])}`).join(","),
    "2004": ({ steps }, answers) => steps.map(({ id }) => `${id}[.]${answers[id]}`).join("[,]"),
    patterns: { "2004": ({ correct }, write) => [`{order_matters=false}${write(correct)}`] },
    isRight: samePairs,
  },
  other: text,
};

const isMarked = (question) => "correct" in question;

/** "correct", "incorrect", or "neutral" where there is no right or wrong. */
export function judge(question, answer) {
  if (!isMarked(question)) {
    return "neutral";
  }
  return TYPES[question.type].isRight(answer, question.correct) ? "correct" : "incorrect";
}

export function responseOf(question, answer, version) {
  return TYPES[question.type][version](question, answer);
}

export function patternsOf(question, version) {
  if (!isMarked(question)) {
    return [];
  }
  const write = (answer) => responseOf(question, answer, version);
  const patterns = TYPES[question.type].patterns?.[version];
  return patterns ? patterns(question, write) : [write(question.correct)];
}

export function typeOf(question, version) {
  return (version === "1.2" && TYPE_IN_1_2[question.type]) || question.type;
}

/** The score out of 100, to at most two decimals. A question not answered earns nothing. */
export function scoreOf(questions, answers) {
  const weigh = (chosen) => chosen.reduce((sum, question) => sum + question.weight, 0);
  const right = questions.filter(({ id }) => answers[id]?.result === "correct");
  return Math.round((10000 * weigh(right)) / weigh(questions)) / 100;
}
