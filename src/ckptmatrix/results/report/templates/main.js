// Wires the controls to the state and the state to what is shown.
function setUpControls() {
  const views = byId("views");
  raw.views.forEach((view, index) => views.append(make("label", {},
    make("input", { type: "radio", name: "view", value: index, onchange: () => { state.view = index; refresh(); } }), make("span", {}, view.title))));
  const choices = (id, name, first, values) => {
    const select = byId(id);
    if (values) select.append(...(first ? [make("option", { value: "" }, first)] : []), ...values.map(([value, label]) => make("option", { value }, label)));
    select.addEventListener("change", () => { state[name] = select.value; if (name === "cause") showCause(); refresh(); });
  };
  const kinds = [...raw.scenarios].sort((a, b) => (b === raw.first) - (a === raw.first));
  const every = [ALL, kinds.length > 1 ? `all ${kinds.length}, the worst shown` : "all"];
  choices("scenario", "scenario", null, [...kinds.map((name) => [name, name]), every]);
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
    showCause();
    refresh();
    finishGrid();
    byId("grid").scrollIntoView();
    table.querySelector("td:not(.dim)[aria-label]")?.focus({ preventScroll: true });
  });
}

// A cause that the chosen scenario never has is shown in those that have it.
function showCause() {
  const has = (scenario) => environments.some((w) => environments.some((r) => outcomeOf(state.view, scenario, w.index, r.index)?.cause === state.cause));
  if (state.cause && !shownScenarios().some(has)) state.scenario = ALL;
}

function showControls() {
  document.querySelectorAll("#views input").forEach((input, index) => { input.checked = index === state.view; });
  for (const [id, name] of [["scenario", "scenario"], ["writer-stack", "saved"], ["reader-stack", "loaded"], ["direction", "direction"], ["cause-filter", "cause"]]) byId(id).value = state[name];
  byId("unfold").checked = !!state.unfold;
  if (byId("changed-only")) byId("changed-only").checked = !!state.changed;
}

let showUpgrade = () => {};
function refresh() {
  keepUnfoldedSmall();
  writeAddress(); // before anything is drawn: it has the page laid out
  drawGrid();
  drawLegend();
  showControls();
  showUpgrade();
}

root.classList.add("js");
showUpgrade = setUpUpgrade();
setUpControls();
setUpGrid();
setUpDetail();
function fromAddress() {
  readAddress();
  keepUnfoldedSmall();
  drawGrid();
  drawLegend();
  showControls();
  showUpgrade();
  showCell();
}
window.addEventListener("hashchange", fromAddress);
fromAddress();
sumAhead();
// For anyone who asks from the console: the verdict that the page gives, as text.
window.ckptmatrix = {
  advise(old, next) {
    const advice = advise(environmentById.get(old), environmentById.get(next), judgedScenarios());
    return {
      verdict: decisionSentence(advice), back: verdictSentence(advice.back),
      detour: advice.detour && detourSentence(advice.detour, advice.forward), staying: againstStaying(advice), remedies: advice.remedies.map((remedy) => remedySentence(remedy)),
    };
  },
};
