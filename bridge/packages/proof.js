/** An LMS with scorm-again's API, which keeps each call that reaches it. */

const LEARNER = "learner-1";
const VERSIONS = {
  "1.2": {
    place: "API",
    make: () => new window.Scorm12API({ logLevel: 5 }),
    cmi: { core: { student_id: LEARNER, student_name: "Doe, Jo" } },
  },
  "2004": {
    place: "API_1484_11",
    make: () => new window.Scorm2004API({ logLevel: 5 }),
    cmi: { learner_id: LEARNER, learner_name: "Doe, Jo" },
  },
};
const METHODS = ["Initialize", "Terminate", "GetValue", "SetValue", "Commit", "GetLastError", "GetErrorString", "GetDiagnostic"];

const version = VERSIONS[new URLSearchParams(location.search).get("version")];
const api = version.make();
api.loadFromJSON(version.cmi);
window.calls = [];
window[version.place] = {};
for (const method of METHODS) {
  const name = version.place === "API" ? (method === "Terminate" ? "LMSFinish" : `LMS${method}`) : method;
  window[version.place][name] = (...values) => {
    const answer = api[name](...values);
    window.calls.push([name, values.map(String), String(answer)]);
    return answer;
  };
}

window.launch = (address) => {
  const frame = document.createElement("iframe");
  frame.name = "sco";
  frame.src = address;
  document.body.append(frame);
};
window.leave = () => document.querySelector("iframe").remove();
