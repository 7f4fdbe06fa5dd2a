/* Runs: what was exported, and what is being exported now. */

import { Action, List, Moment, Title, h } from "./parts.js";
import { integer } from "./words.js";

const COUNTS = ["added", "removed", "unchanged", "rejected", "unknown", "unsent"];

export function Runs({ runs, actions }) {
  return h(
    List,
    { id: "ci-magics-runs", title: "Runs", empty: h("p", null, "Nothing was exported yet.") },
    runs.map(run => h(RunItem, { key: run.name, run, actions })),
  );
}

function RunItem({ run, actions }) {
  const { audiences } = run;
  return h(
    "li",
    null,
    h(Title, {
      text: audiences.map(each => each.segment).join(", "),
      status: run.status,
    }),
    h("div", null, run.destination),
    run.interrupted && h("div", null, "Interrupted: not everything was sent."),
    run.planned === null ? h("div", null, counts(run)) : h(Progress, { run }),
    h("div", null, h(Moment, { at: run.started_at }), ` by ${run.started_by}, run ${run.name}`),
    h(
      "details",
      null,
      h("summary", null, audiences.length === 1 ? "1 audience" : `${audiences.length} audiences`),
      audiences.map(each => h(AudienceItem, { key: each.audience, audience: each })),
    ),
    run.interrupted &&
      h(Action, {
        label: "Finish in notebook",
        about: `run ${run.name}`,
        onClick: () => actions.resume(run.name),
      }),
  );
}

function AudienceItem({ audience }) {
  const found = COUNTS.filter(name => audience[name] > 0);
  const words = found.map(name => `${integer(audience[name])} ${name === "unsent" ? "not sent" : name}`);
  return h(
    "div",
    { className: "ci-magics-audience" },
    h("b", null, audience.audience),
    `: ${[audience.status, ...words].join(", ")}`,
    audience.message && h("div", null, audience.message),
  );
}

function Progress({ run }) {
  if (run.planned === 0) {
    return h("div", null, "There is nothing to send.");
  }
  const words = `${integer(run.done)} of ${integer(run.planned)} hashes answered`;
  const bar = { value: run.done, max: run.planned, "aria-label": words };
  return h("div", null, h("progress", bar), words);
}

function counts(run) {
  const words = [`${integer(run.accepted)} accepted`, `${integer(run.rejected)} rejected`];
  return [...words, ...(run.unknown > 0 ? [`${integer(run.unknown)} unknown`] : [])].join(", ");
}
