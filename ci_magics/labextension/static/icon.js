import { LabIcon } from "./jupyterlab.js";

/** The icon: people, one of them matched. */
export const iconUrl = new URL("icon.svg", import.meta.url).href;

/** The icon in the colors of the theme. */
export const icon = new LabIcon({
  name: "ci-magics:customer-match",
  svgstr: await (await fetch(iconUrl)).text(),
});
