/* The style sheet, which the page loads before the plugins. */

const sheet = document.createElement("link");
sheet.rel = "stylesheet";
sheet.href = new URL("style.css", import.meta.url).href;
document.head.append(sheet);

export default {};
