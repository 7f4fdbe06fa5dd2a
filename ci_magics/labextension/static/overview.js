/* The overview from the server extension, polled while the panel is visible. */

import { Poll, ServerConnection, Signal, URLExt } from "./jupyterlab.js";
import { changesBetween } from "./changes.js";

const EVERY = 2_000; // milliseconds
const AT_MOST = 60_000; // if the server does not respond

/** The last overview, with any error, and what has changed. */
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

  /** Announce a message to the user. */
  say(sentence) {
    this.news = sentence;
    this.changed.emit();
  }

  /** Poll now, before the interval ends. */
  refresh() {
    return this.poll.refresh();
  }

  async read() {
    const began = performance.now();
    try {
      const text = await ask(this.settings);
      this.show(text, "");
      // Poll a slow workspace less often, so that reading takes at most a tenth of the time.
      const interval = Math.max(EVERY, 10 * (performance.now() - began));
      this.poll.frequency = { ...this.poll.frequency, interval };
    } catch (error) {
      this.show(this.seen, error.message);
      throw error; // the poll backs off
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
    return "You are no longer signed in to Jupyter. Reload this page.";
  }
  try {
    return JSON.parse(text).message;
  } catch {
    return `Jupyter's server answered with an error (${status}). It is tried again by itself.`;
  }
}
