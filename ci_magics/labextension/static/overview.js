/* What the server extension tells, asked again and again while somebody looks. */

import { Poll, ServerConnection, Signal, URLExt } from "./jupyterlab.js";
import { changesBetween } from "./changes.js";

const EVERY = 2_000; // milliseconds
const AT_MOST = 60_000; // when the server does not answer

/** The overview as it was last read, with what went wrong and what changed. */
export class OverviewModel {
  constructor(settings, isHidden) {
    this.changed = new Signal(this);
    this.overview = null;
    this.error = "";
    this.news = "";
    this.settings = settings;
    this.seen = "";
    this.poll = new Poll({
      name: "ci-magics:overview",
      factory: () => this.read(),
      frequency: { interval: EVERY, backoff: true, max: AT_MOST },
      standby: isHidden,
    });
  }

  dispose() {
    this.poll.dispose();
    Signal.clearData(this);
  }

  /** Say something to the person who looks. */
  say(sentence) {
    this.news = sentence;
    this.changed.emit();
  }

  /** Read now, and not only when it is time. */
  refresh() {
    return this.poll.refresh();
  }

  async read() {
    const began = performance.now();
    try {
      const text = await ask(this.settings);
      this.show(text, "");
      // A workspace that takes long to read is read more rarely: a tenth of the time at most.
      const interval = Math.max(EVERY, 10 * (performance.now() - began));
      this.poll.frequency = { ...this.poll.frequency, interval };
    } catch (error) {
      this.show(this.seen, error.message);
      throw error; // the poll waits longer and longer
    }
  }

  show(text, error) {
    if (text === this.seen && error === this.error) {
      return;
    }
    if (text !== this.seen) {
      const before = this.overview;
      this.overview = JSON.parse(text);
      this.news = changesBetween(before, this.overview);
      this.seen = text;
    }
    this.error = error;
    this.changed.emit();
  }
}

async function ask(settings) {
  let response;
  try {
    response = await ServerConnection.makeRequest(
      URLExt.join(settings.baseUrl, "ci-magics", "overview"),
      {},
      settings,
    );
  } catch {
    throw new Error("Jupyter's server does not answer. It is tried again by itself.");
  }
  const text = await response.text();
  if (!response.ok) {
    throw new Error(sentenceOf(response.status, text));
  }
  return text;
}

function sentenceOf(status, text) {
  if (status === 404) {
    return "The server extension of ci-magics is not running. Enable it: jupyter server extension enable ci_magics.server_extension, then start Jupyter again.";
  }
  if (status === 401 || status === 403) {
    return "You are not signed in to Jupyter any more. Reload this page.";
  }
  try {
    return JSON.parse(text).message;
  } catch {
    return `Jupyter's server answered with an error (${status}). It is tried again by itself.`;
  }
}
