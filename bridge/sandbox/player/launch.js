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

async function replyTo(response) {
  try {
    return (await response.json()) ?? {};
  } catch {
    return {};
  }
}

function start(launch) {
  const { place, make, calls, withLearner } = PLAYERS[launch.scorm_version];
  let failure = NO_ANSWER;
  let isOver = false;

  const api = make({
    lmsCommitUrl: launch.commit_url,
    autocommit: true,
    // Browsers refuse synchronous requests of a page that goes away. Content that finishes only after its commit was
    // answered true would then never finish; asynchronous ones outlive the page.
    useAsynchronousCommits: true,
    asyncModeBeaconBehavior: "on-terminate",
    // Not called at all when the request itself fails, which is why every commit starts out as unanswered.
    async responseHandler(response) {
      const reply = await replyTo(response);
      const saved = response.status === 200 && String(reply.result) === "true";
      failure = saved ? "" : (reply.detail ?? `HTTP status ${response.status}`);
      return { result: String(saved), errorCode: saved ? 0 : (reply.errorCode ?? 101) };
    },
  });
  const settled = () => {
    if (!isOver) {
      tell(failure ? "failed" : "saved", failure ? `Saving failed: ${failure}` : "Saved");
    }
    failure = NO_ANSWER;
  };
  api.on(calls.commit, () => tell("waiting", "Saving …"));
  api.on("CommitSuccess", settled);
  api.on("CommitError", settled);
  // The last commit goes out as a beacon, whose answer no page ever sees.
  api.on(calls.terminate, () => {
    isOver = true;
    tell("ended", "Session ended, last commit sent");
  });
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
