/* Saved exports: the status of each, and its next run. */

import { React } from "./jupyterlab.js";
import { Action, Empty, List, Moment, Title, Warning, h } from "./parts.js";

const MANY = 8; // more than these can be filtered

export function Exports({ exports, warnings, actions, readOnly }) {
  const [wanted, want] = React.useState("");
  const first = h(Empty, {
    text: "No export is saved yet: --save NAME keeps one, with a schedule if you like.",
    label: "Insert an export cell",
    onClick: () => actions.insert("save"),
  });
  const empty = readOnly ? h("p", null, "No export is saved yet.") : first;
  const found = exports.filter(each => fits(each, wanted));
  return h(
    List,
    {
      id: "ci-magics-exports",
      title: "Exports",
      filter: exports.length > MANY && h(Filter, { wanted, want, found: found.length, all: exports.length }),
      empty: exports.length === 0 ? empty : null,
      notes: warnings,
    },
    found.map(each => h(ExportItem, { key: each.name, each, actions })),
  );
}

function Filter({ wanted, want, found, all }) {
  return h(
    "label",
    { className: "ci-magics-filter" },
    "Filter by name, segment, connection or status ",
    h("input", { type: "search", value: wanted, onChange: event => want(event.target.value) }),
    ` ${found} of ${all}`,
  );
}

function fits(each, wanted) {
  const words = [each.name, each.connection, each.status, ...each.segments].join("\n").toLowerCase();
  return words.includes(wanted.trim().toLowerCase());
}

function ExportItem({ each, actions }) {
  return h(
    "li",
    null,
    h(Title, { text: each.name, status: each.status }),
    h("div", null, `${each.segments.join(", ")} to ${each.connection}`),
    each.reason && h("div", null, each.reason),
    h("div", null, "Last run: ", h(Moment, { at: each.last_run, none: "never" })),
    h(
      "div",
      null,
      each.overdue ? "Due since " : "Next run: ",
      h(Moment, { at: each.next_run, none: each.schedule }),
    ),
    (each.warnings ?? []).map(text => h(Warning, { key: text, text })),
    each.may_run &&
      h(Action, { label: "Run in notebook", about: each.name, onClick: () => actions.run(each.name) }),
  );
}
