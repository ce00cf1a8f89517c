/** The LMS side of a launch: gives the course its SCORM API, and tells what became of each commit. */

const PLAYERS = {
  "1.2": {
    place: "API",
    make: (settings) => new window.Scorm12API(settings),
    calls: { commit: "LMSCommit", terminate: "LMSFinish" },
    withLearner: (cmi, { id, name }) => ({ ...cmi, core: { student_id: id, student_name: name, ...cmi.core } }),
  },
  "2004": {
    place: "API_1484_11",
    make: (settings) => new window.Scorm2004API(settings),
    calls: { commit: "Commit", terminate: "Terminate" },
    withLearner: (cmi, { id, name }) => ({ learner_id: id, learner_name: name, ...cmi }),
  },
};

const NO_ANSWER = "the bridge did not answer";

const status = document.getElementById("status");

function tell(state, text) {
  status.dataset.state = state;
  status.textContent = text;
}

function replyTo(xhr) {
  try {
    return JSON.parse(xhr.responseText) ?? {};
  } catch {
    return {};
  }
}

function start(launch) {
  const { place, make, calls, withLearner } = PLAYERS[launch.scorm_version];
  let failure = NO_ANSWER;

  const api = make({
    lmsCommitUrl: launch.commit_url,
    autocommit: true,
    // Not called at all when the request itself fails, which is why every commit starts out as unanswered.
    xhrResponseHandler(xhr) {
      const reply = replyTo(xhr);
      const saved = xhr.status === 200 && String(reply.result) === "true";
      failure = saved ? "" : (reply.detail ?? `HTTP status ${xhr.status}`);
      return { result: String(saved), errorCode: saved ? 0 : (reply.errorCode ?? 101) };
    },
  });
  api.on(calls.commit, () => {
    tell(failure ? "failed" : "saved", failure ? `Saving failed: ${failure}` : "Saved");
    failure = NO_ANSWER;
  });
  // The last commit goes out as a beacon, whose answer no page ever sees.
  api.on(calls.terminate, () => tell("ended", "Session ended, last commit sent"));
  api.loadFromJSON(withLearner(launch.cmi, launch.learner), "cmi");

  window[place] = api;
  document.getElementById("sco").src = launch.course_url;
}

// A page brought back from the browser's history still holds an ended session. Only a new launch can go on.
window.addEventListener("pageshow", (shown) => {
  if (shown.persisted) {
    window.location.reload();
  }
});

start(JSON.parse(document.getElementById("launch").textContent));
