// Wires the controls to the state and the state to what is shown.
function setUpControls() {
  const views = byId("views");
  raw.views.forEach((view, index) => views.append(make("label", {},
    make("input", { type: "radio", name: "view", value: index, onchange: () => { state.view = index; refresh(); } }), make("span", {}, view.title))));
  const choices = (id, name, first, values) => {
    const select = byId(id);
    if (values) select.append(make("option", { value: "" }, first), ...values.map(([value, label]) => make("option", { value }, label)));
    select.addEventListener("change", () => { state[name] = select.value; refresh(); });
  };
  choices("scenario", "scenario", "all, the worst shown", raw.scenarios.map((name) => [name, name]));
  choices("writer-stack", "saved", "every stack", raw.stacks.map((name) => [name, name]));
  choices("reader-stack", "loaded", "every stack", raw.stacks.map((name) => [name, name]));
  choices("direction", "direction");
  choices("cause-filter", "cause", "any", Object.entries(raw.causes).map(([id, cause]) => [id, cause.title]));
  for (const [id, name] of [["unfold", "unfold"], ["changed-only", "changed"]]) {
    byId(id)?.addEventListener("change", (event) => { state[name] = event.target.checked ? "1" : ""; refresh(); });
  }
  byId("reset").addEventListener("click", () => {
    for (const name of ["view", "scenario", "hide", "direction", "saved", "loaded", "cause", "unfold", "changed"]) state[name] = DEFAULTS[name];
    refresh();
  });
  byId("legend").addEventListener("click", (event) => {
    const chip = event.target.closest(".chip");
    if (!chip) return;
    const hidden = new Set(state.hide.split(",").filter(Boolean));
    if (!hidden.delete(chip.dataset.status)) hidden.add(chip.dataset.status);
    state.hide = [...hidden].join(",");
    refresh();
  });
  document.addEventListener("click", (event) => {
    const button = event.target.closest("[data-show-cause]");
    if (!button) return;
    state.cause = button.dataset.showCause in raw.causes ? button.dataset.showCause : "";
    state.view = 0;
    refresh();
    byId("grid").scrollIntoView();
    table.querySelector("td:not(.dim)[aria-label]")?.focus({ preventScroll: true });
  });
}

function showControls() {
  document.querySelectorAll("#views input").forEach((input, index) => { input.checked = index === state.view; });
  for (const [id, name] of [["scenario", "scenario"], ["writer-stack", "saved"], ["reader-stack", "loaded"], ["direction", "direction"], ["cause-filter", "cause"]]) byId(id).value = state[name];
  byId("unfold").checked = !!state.unfold;
  if (byId("changed-only")) byId("changed-only").checked = !!state.changed;
}

let showUpgrade = () => {};
function refresh() {
  drawGrid();
  drawLegend();
  showControls();
  showUpgrade();
  writeAddress();
}

root.classList.add("js");
showUpgrade = setUpUpgrade();
setUpControls();
setUpGrid();
setUpDetail();
function fromAddress() {
  readAddress();
  drawGrid();
  drawLegend();
  showControls();
  showUpgrade();
  showCell();
}
window.addEventListener("hashchange", fromAddress);
fromAddress();
// For anyone who asks from the console: the verdict that the page gives, as text.
window.ckptmatrix = {
  advise(old, next) {
    const advice = advise(environmentById.get(old), environmentById.get(next), shownScenarios());
    return {
      verdict: verdictSentence(advice.forward), back: verdictSentence(advice.back),
      path: advice.path && pathSentence(advice.path, advice.forward), staying: againstStaying(advice), remedies: advice.remedies.map((remedy) => remedySentence(remedy, advice.forward)),
    };
  },
};
