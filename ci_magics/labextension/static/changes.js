/* What changed between two overviews, as a sentence that is read aloud. */

import { integer } from "./words.js";

/** Return what is new, or an empty text. What existed when the panel opened is not new. */
export function changesBetween(before, after) {
  if (before === null) {
    return "";
  }
  const runs = changed(before.runs, after.runs).map(aboutRun);
  // If an export stopped before a run began, only the export has the reason.
  const news = runs.length > 0 ? runs : changed(before.exports, after.exports).map(aboutExport);
  return news.join(" ");
}

function changed(before, after) {
  const known = new Map(before.map(each => [each.name, each.status]));
  return after.filter(each => known.get(each.name) !== each.status);
}

function aboutRun(run) {
  const segments = run.audiences.map(each => each.segment).join(", ");
  if (run.finished_at === null) {
    return `${segments}: ${run.status}.`;
  }
  return `${segments}: ${run.status}, ${integer(run.accepted)} accepted, ${integer(run.rejected)} rejected.`;
}

function aboutExport(each) {
  return `${each.name}: ${each.status}. ${each.reason}`.trim();
}
