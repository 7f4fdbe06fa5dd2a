/* The side panel: a widget that shows the overview and hands what is clicked to the commands. */

import { React, ReactWidget, UseSignal } from "./jupyterlab.js";
import { cells, resumeCell, runCell } from "./cells.js";
import { CATEGORY, commandIds } from "./commands.js";
import { icon } from "./icon.js";
import { OverviewModel } from "./overview.js";
import { View } from "./view.js";

const ID = "ci-magics-panel";

export function addPanel(app, tracker, palette, restorer) {
  const panel = new OverviewPanel(app, tracker);
  app.commands.addCommand(commandIds.openPanel, {
    label: "Customer Match exports",
    caption: "Show the exports and runs of the workspace",
    icon,
    execute: () => {
      app.shell.activateById(ID);
    },
  });
  app.shell.add(panel, "right", { rank: 500 });
  palette?.addItem({ command: commandIds.openPanel, category: CATEGORY });
  restorer?.add(panel, ID);
}

class OverviewPanel extends ReactWidget {
  constructor(app, tracker) {
    super();
    this.id = ID;
    this.addClass("ci-magics-panel");
    this.title.icon = icon;
    this.title.caption = CATEGORY;
    this.node.setAttribute("role", "region");
    this.node.setAttribute("aria-label", CATEGORY);
    this.app = app;
    this.tracker = tracker;
    this.model = new OverviewModel(
      app.serviceManager.serverSettings,
      () => !this.isVisible || document.hidden,
    );
  }

  dispose() {
    this.model.dispose();
    super.dispose();
  }

  onAfterShow(message) {
    super.onAfterShow(message);
    void this.model.refresh();
  }

  onActivateRequest(message) {
    super.onActivateRequest(message);
    // The palette restores the focus, so wait until it has done so.
    requestAnimationFrame(() => this.node.querySelector("button")?.focus());
  }

  render() {
    const actions = {
      newNotebook: () => this.app.commands.execute(commandIds.newNotebook),
      refresh: () => this.model.refresh(),
      insert: name => this.insert(cells[name].source),
      run: name => this.insert(runCell(name)),
      resume: run => this.insert(resumeCell(run)),
    };
    const show = () => React.createElement(View, { model: this.model, actions });
    return React.createElement(UseSignal, { signal: this.model.changed }, show);
  }

  async insert(source) {
    const inserted = await this.app.commands.execute(commandIds.insertCell, { source });
    this.model.say(
      inserted
        ? `The cell is in ${this.tracker.currentWidget.title.label}: Shift+Enter runs it.`
        : "Open a notebook first: the cell goes below its active one.",
    );
  }
}
