/* A line for a secret: what is typed goes to the kernel once, in a message, and is never a part of the widget's state. */

function render({ model, el }) {
  const label = document.createElement("label");
  Object.assign(label.style, { display: "flex", alignItems: "center", gap: "8px", maxWidth: "620px", margin: "2px" });
  const words = document.createElement("span");
  words.textContent = model.get("label");
  Object.assign(words.style, { flex: "0 0 130px", textAlign: "right", fontSize: "var(--jp-widgets-font-size, 13px)" });
  const input = document.createElement("input");
  Object.assign(input, { type: "password", autocomplete: "off", placeholder: model.get("hint") });
  Object.assign(input.style, { flex: "1 1 auto", minWidth: "40px", height: "28px", padding: "3px 5px" });
  input.className = "jp-mod-styled";
  input.addEventListener("change", () => model.send({ secret: input.value }));
  const forget = message => {
    if (message.forget) {
      input.value = "";
    }
  };
  model.on("msg:custom", forget);
  label.append(words, input);
  el.append(label);
  return () => model.off("msg:custom", forget);
}

export default { render };
