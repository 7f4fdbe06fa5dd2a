/* What the side panel shows: a line of news, what to do first, and the lists. */

import { React, addIcon, refreshIcon } from "./jupyterlab.js";
import { Action, Empty, h } from "./parts.js";
import { Exports } from "./exports.js";
import { Runs } from "./runs.js";

const HALF_A_MINUTE = 30_000;

export function View({ model, actions }) {
  useEvery(HALF_A_MINUTE);
  const { overview, error, news } = model;
  return h(
    React.Fragment,
    null,
    h(Header, { actions }),
    h(
      "div",
      { role: "status", "aria-live": "polite", className: error ? "ci-magics-error" : "" },
      error || news,
    ),
    overview !== null && h(Lists, { overview, actions }),
    overview === null && !error && h("p", null, "Reading the workspace …"),
  );
}

function Header({ actions }) {
  return h(
    "div",
    { className: "ci-magics-header" },
    h("h2", null, "Customer Match"),
    h(Action, { icon: addIcon, label: "New notebook", onClick: actions.newNotebook }),
    h(Action, { icon: refreshIcon, label: "Refresh", onClick: actions.refresh }),
  );
}

function Lists({ overview, actions }) {
  const { exports, runs } = overview;
  const readOnly = overview.role === "viewer";
  const ready = readOnly || (overview.connections > 0 && overview.segments > 0);
  return h(
    React.Fragment,
    null,
    !ready && h(FirstStep, { overview, actions }),
    (ready || exports.length > 0) && h(Exports, { exports, warnings: overview.warnings, actions, readOnly }),
    h(Runs, { runs, actions }),
  );
}

/** The steps before the first export, one at a time. */
function FirstStep({ overview, actions }) {
  if (overview.advice) {
    return h("p", null, overview.advice);
  }
  if (overview.connections === 0) {
    return h(Empty, {
      text: "First, a connection to Microsoft Advertising.",
      label: "Insert a connection cell",
      onClick: () => actions.insert("connect"),
    });
  }
  return h(Empty, {
    text: "Next, a segment: a named set of profiles.",
    label: "Insert a segment cell",
    onClick: () => actions.insert("segment"),
  });
}

/** Redraw regularly, because "2 minutes ago" becomes outdated. */
function useEvery(milliseconds) {
  const [, draw] = React.useReducer(count => count + 1, 0);
  React.useEffect(() => {
    const timer = setInterval(draw, milliseconds);
    return () => clearInterval(timer);
  }, [milliseconds]);
}
