/* What changed between two overviews, as a sentence that is read aloud. */

import { integer } from "./words.js";

/** Return what is new, or an empty text: nothing is said about what was there when the panel was opened. */
export function changesBetween(before, after) {
  if (before === null) {
    return "";
  }
  const known = new Map(before.runs.map(run => [run.name, run]));
  const news = after.runs.filter(run => known.get(run.name)?.status !== run.status).map(sentence);
  return news.join(" ");
}

function sentence(run) {
  const segments = run.audiences.map(each => each.segment).join(", ");
  if (run.finished_at === null) {
    return `${segments}: ${run.status}.`;
  }
  return `${segments}: ${run.status}, ${integer(run.accepted)} accepted, ${integer(run.rejected)} rejected.`;
}
