/** The course itself: its pages, the learner's way through them, and what is reported when. */

import { questionsFor } from "./questions.js";
import { judge, scoreOf } from "./responses.js";
import { findApi, Session } from "./scorm.js";
import { questionPage } from "./widgets.js";

const DEFAULT_MASTERY_SCORE = 80;
const NOT_BEGUN = ["", "not attempted", "unknown"];
const WORDS = { correct: "Correct", incorrect: "Not correct", neutral: "Answered" };

const byId = (id) => document.getElementById(id);

function say(text) {
  byId("notice").textContent = text;
  byId("notice").hidden = text === "";
}

function remembered(suspendData) {
  try {
    const { answers = {}, visited = [] } = JSON.parse(suspendData);
    return { answers, visited };
  } catch {
    // None yet, or not written by this course: the learner starts afresh rather than not at all.
    return { answers: {}, visited: [] };
  }
}

class Course {
  #session;
  #questions = questionsFor(location.href);
  #masteryScore = DEFAULT_MASTERY_SCORE;
  #answers = {};
  #visited = new Set();
  #pages;
  #place = 0;
  #shownAt;

  constructor(session) {
    this.#session = session;
    const quiz = this.#questions.map((question, place) => {
      const title = `Question ${place + 1} of ${this.#questions.length}`;
      return questionPage(question, title, (answer) => this.#answer(question, answer));
    });
    byId("questions").append(...quiz.map(({ page }) => page));
    this.#pages = [...document.querySelectorAll("[data-page]:not(#end)")];
    this.#resume(quiz);
    byId("back").addEventListener("click", () => this.#turn(-1));
    byId("next").addEventListener("click", () => this.#turn(1));
    byId("leave").addEventListener("click", () => this.#saveAndLeave());
    byId("finish").addEventListener("click", () => this.#finish());
    window.addEventListener("pagehide", () => this.#closedByBrowser());
    this.#show();
  }

  #resume(quiz) {
    if (!this.#session) {
      return;
    }
    const { location, masteryScore, status, suspendData } = this.#session.launchData();
    if (masteryScore !== "") {
      this.#masteryScore = Number(masteryScore);
    }
    if (NOT_BEGUN.includes(status)) {
      this.#session.begin();
    }
    const { answers, visited } = remembered(suspendData);
    this.#answers = answers;
    this.#visited = new Set(visited);
    this.#questions.forEach(({ id }, place) => {
      if (id in this.#answers) {
        quiz[place].restore(this.#answers[id].answer, this.#answers[id].result);
      }
    });
    this.#place = Math.max(0, this.#pages.findIndex((page) => page.dataset.page === location));
  }

  #turn(step) {
    this.#place += step;
    this.#show();
  }

  #show() {
    const page = this.#pages[this.#place];
    const isLast = this.#place === this.#pages.length - 1;
    this.#visited.add(page.dataset.page);
    if (isLast) {
      this.#review();
    }
    this.#reveal(page);
    byId("back").hidden = this.#place === 0;
    byId("next").hidden = isLast;
    byId("finish").hidden = !isLast;
    byId("position").textContent = `Page ${this.#place + 1} of ${this.#pages.length}`;
    byId("progress").max = this.#pages.length;
    byId("progress").value = this.#place + 1;
    this.#shownAt = performance.now();
    this.#keep();
    this.#commit();
  }

  #reveal(page) {
    for (const other of document.querySelectorAll("[data-page]")) {
      other.hidden = other !== page;
    }
    document.body.dataset.shown = page.dataset.page;
    window.scrollTo(0, 0);
    page.querySelector("h1").focus();
  }

  #answer(question, answer) {
    const result = judge(question, answer);
    this.#answers[question.id] = { answer, result };
    this.#session?.answer(question, answer, result, (performance.now() - this.#shownAt) / 1000);
    this.#keep();
    return result;
  }

  #review() {
    const lines = this.#questions.map(({ id, prompt }) => {
      const result = this.#answers[id]?.result;
      const line = document.createElement("li");
      const verdict = document.createElement("strong");
      verdict.textContent = result ? WORDS[result] : "Not answered";
      line.dataset.result = result ?? "unanswered";
      line.append(verdict, ` ${prompt}`);
      return line;
    });
    byId("review").replaceChildren(...lines);
    const score = scoreOf(this.#questions, this.#answers);
    byId("standing").textContent = `Your score is ${score} of 100. It takes ${this.#masteryScore} to pass.`;
  }

  #keep() {
    const progress = this.#visited.size / this.#pages.length;
    const suspendData = JSON.stringify({ answers: this.#answers, visited: [...this.#visited] });
    this.#session?.place(this.#pages[this.#place].dataset.page, Math.min(1, progress), suspendData);
  }

  #commit() {
    const saved = this.#session?.commit() ?? true;
    say(saved ? "" : "The LMS did not save. Please keep this window open: every page tries again.");
    return saved;
  }

  #saveAndLeave() {
    this.#session?.leaving({ finished: false });
    this.#end("suspended", "Saved for later", "Next time the course opens where you left it.");
  }

  #finish() {
    const score = scoreOf(this.#questions, this.#answers);
    const passed = score >= this.#masteryScore;
    this.#session?.outcome(score, passed);
    this.#session?.leaving({ finished: true });
    const text = `Your score is ${score} of 100. It takes ${this.#masteryScore} to pass.`;
    this.#end(passed ? "passed" : "failed", passed ? "Passed" : "Not passed", text);
  }

  // The LMS's answer to a commit is known, its answer to the end of the session often is not. So nobody is told
  // that all is saved, and no session is closed, before a commit has succeeded.
  #end(outcome, title, text) {
    if (!this.#commit()) {
      return;
    }
    this.#session?.close();
    byId("end").dataset.outcome = outcome;
    byId("end-title").textContent = title;
    byId("end-text").textContent = text;
    byId("end-kept").textContent = this.#session
      ? "The LMS has saved it, and you can close this window."
      : "There is no LMS around this page, so nothing of it was kept.";
    for (const part of document.querySelectorAll(".turn, .progress, #leave")) {
      part.hidden = true;
    }
    this.#reveal(byId("end"));
  }

  // A browser refuses synchronous requests while a page goes away, so there is no commit here: closing
  // the session has to carry everything.
  #closedByBrowser() {
    if (this.#session?.isOpen) {
      this.#session.leaving({ finished: false });
      this.#session.close();
    }
  }
}

function start() {
  const found = findApi();
  if (!found) {
    byId("found").textContent = "This time there is no LMS around this page, so nothing you do here is kept.";
    return new Course(null);
  }
  document.body.dataset.scorm = found.version;
  const session = new Session(found);
  if (!session.open()) {
    say("The LMS refused to start a session. Please close this window and launch the course again.");
    return null;
  }
  byId("found").textContent = `Just now this course found the object of SCORM ${found.version}, and called it.`;
  return new Course(session);
}

start();
