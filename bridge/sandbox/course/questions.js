/**
 * The quiz, as data. `correct` is the right answer in the form in which an answer is kept (see responses.js);
 * a question without it is asked but not marked. Questions marked `extra` appear with ?questions=all.
 */
export const QUESTIONS = [
  {
    id: "set-is-not-save",
    type: "true-false",
    prompt: "A value that a course has set is safe with the LMS as soon as the call returns.",
    correct: false,
    weight: 1,
    feedback: "Only a commit saves. Until then the value lives in the browser.",
  },
  {
    id: "what-resumes",
    type: "choice",
    prompt: "Which two values let a learner go on where they left off?",
    choices: [
      { id: "location", text: "The location" },
      { id: "mastery-score", text: "The mastery score" },
      { id: "suspend-data", text: "The suspend data" },
      { id: "latency", text: "The latency of an answer" },
    ],
    correct: ["location", "suspend-data"],
    weight: 1,
    feedback: "The location is the bookmark, and the suspend data holds what the course wants to remember.",
  },
  {
    id: "what-it-says",
    type: "matching",
    prompt: "What does each value say?",
    sources: [
      { id: "session-time", text: "Session time" },
      { id: "total-time", text: "Total time" },
      { id: "exit", text: "Exit" },
    ],
    targets: [
      { id: "how-left", text: "How the course was left" },
      { id: "this-session", text: "How long this session lasted" },
      { id: "all-sessions", text: "How long all sessions lasted together" },
    ],
    correct: { "session-time": "this-session", "total-time": "all-sessions", exit: "how-left" },
    weight: 1,
    feedback: "A course reports the time of one session; the LMS adds the sessions up.",
  },
  {
    id: "order-of-calls",
    type: "sequencing",
    prompt: "Put the calls in the order in which a course makes them.",
    items: [
      { id: "commit", text: "Commit" },
      { id: "terminate", text: "Terminate" },
      { id: "initialize", text: "Initialize" },
      { id: "set-value", text: "Set a value" },
    ],
    correct: ["initialize", "set-value", "commit", "terminate"],
    weight: 1,
    feedback: "Nothing may be set before Initialize or after Terminate.",
  },
  {
    id: "how-many-right",
    type: "numeric",
    prompt: "A quiz has 20 equal questions and a mastery score of 80. How many right answers does it take to pass?",
    correct: { min: 16, max: 16 },
    weight: 1,
    feedback: "80 of 100 is four in five: 16 of 20.",
  },
  {
    id: "call-that-saves",
    type: "fill-in",
    extra: true,
    prompt: "Which call asks the LMS to save without ending the session?",
    correct: ["Commit", "LMSCommit"],
    weight: 1,
    feedback: "It is Commit, or LMSCommit in SCORM 1.2.",
  },
  {
    id: "in-your-words",
    type: "long-fill-in",
    extra: true,
    prompt: "In your own words: what should a course do when a commit fails?",
    weight: 0,
    feedback: "A good course tells the learner, keeps its values and tries again.",
  },
  {
    id: "how-sure",
    type: "likert",
    extra: true,
    prompt: "“I could explain to a colleague how progress gets from a course to a report.”",
    choices: [
      { id: "strongly-disagree", text: "Strongly disagree" },
      { id: "disagree", text: "Disagree" },
      { id: "undecided", text: "Undecided" },
      { id: "agree", text: "Agree" },
      { id: "strongly-agree", text: "Strongly agree" },
    ],
    weight: 0,
    feedback: "Thank you. Opinions are reported too, but not marked.",
  },
  {
    id: "leave-well",
    type: "performance",
    extra: true,
    prompt: "A learner leaves on page 2 of 9 and means to come back. Set the values as the course should.",
    steps: [
      {
        id: "status",
        text: "Status",
        answers: [
          { id: "completed", text: "completed" },
          { id: "incomplete", text: "incomplete" },
        ],
      },
      {
        id: "location",
        text: "Location",
        answers: [
          { id: "page-2", text: "page 2" },
          { id: "page-9", text: "page 9" },
        ],
      },
      {
        id: "exit",
        text: "Exit",
        answers: [
          { id: "normal", text: "normal" },
          { id: "suspend", text: "suspend" },
        ],
      },
    ],
    correct: { status: "incomplete", location: "page-2", exit: "suspend" },
    weight: 1,
    feedback: "Incomplete, at page 2, suspended: the next launch goes on from there.",
  },
  {
    id: "time-of-day",
    type: "other",
    extra: true,
    prompt: "At what time of day do you usually learn?",
    weight: 0,
    feedback: "Thank you. A time of day fits none of the named types, so its type is “other”.",
  },
];

export function questionsFor(address) {
  const all = new URL(address).searchParams.get("questions") === "all";
  return QUESTIONS.filter((question) => all || !question.extra);
}
