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
  choices("scenario", "scenario", null, [...kinds.map((name) => [name, name]), every, [CHOSEN, "those of my question"]]);
  choices("writer-stack", "saved", "every stack", raw.stacks.map((name) => [name, name]));
  choices("reader-stack", "loaded", "every stack", raw.stacks.map((name) => [name, name]));
  choices("direction", "direction");
  choices("cause-filter", "cause", "any", Object.entries(raw.causes).map(([id, cause]) => [id, cause.title]));
  for (const [id, name] of [["unfold", "unfold"], ["changed-only", "changed"]]) {
    byId(id)?.addEventListener("change", (event) => { state[name] = event.target.checked ? "1" : ""; refresh(); });
  }
  byId("elsewhere").addEventListener("click", () => {
    const { view } = state;
    showEverything();
    Object.assign(state, { view, scenario: ALL, changed: "1" });
    refresh();
  });
  byId("reset").addEventListener("click", () => { showEverything(); refresh(); });
  byId("legend").addEventListener("click", (event) => {
    const chip = event.target.closest(".chip");
    if (!chip) return;
    const hidden = new Set(state.hide.split(",").filter(Boolean));
    if (!hidden.delete(chip.dataset.status)) hidden.add(chip.dataset.status);
    state.hide = [...hidden].join(",");
    refresh();
  });
  document.addEventListener("click", (event) => {
    const cells = event.target.closest("a.cells");
    if (!cells || event.ctrlKey || event.metaKey || event.shiftKey) return;
    event.preventDefault();
    showCells(new URLSearchParams(cells.hash.slice(1)));
  });
  document.addEventListener("click", async (event) => {
    const copy = event.target.closest(".command .copy");
    if (!copy) return;
    await navigator.clipboard?.writeText(copy.parentElement.querySelector("pre").textContent);
    copy.textContent = "Copied";
  });
  document.addEventListener("click", (event) => {
    const button = event.target.closest("[data-show-cause]");
    if (!button) return;
    state.cause = button.dataset.showCause in raw.causes ? button.dataset.showCause : "";
    state.view = 0;
    showCause();
    refresh();
    goToGrid();
  });
}

function showEverything() {
  for (const name of ["view", "hide", "direction", "saved", "loaded", "cause", "unfold", "changed"]) state[name] = DEFAULTS[name];
  state.scenario = raw.first || ALL;
}

// Where a link of the page leads: a cell, or a part of the grid; the question that was asked stays.
function showCells(wanted) {
  showEverything();
  for (const [name, value] of wanted) if (name in DEFAULTS) state[name] = name === "view" ? Number(value) : value;
  refresh();
  if (state.cell) showCell(); else goToGrid();
}

function goToGrid() {
  finishGrid();
  byId("grid").scrollIntoView();
  table.querySelector("td:not(.dim) > button")?.focus({ preventScroll: true });
}

// A cause that the chosen scenario never has is shown in those that have it.
function showCause() {
  const has = (scenario) => environments.some((w) => environments.some((r) => outcomeOf(state.view, scenario, w.index, r.index)?.cause === state.cause));
  if (state.cause && !shownScenarios().some(has)) state.scenario = ALL;
}

function showControls() {
  document.querySelectorAll("#views input").forEach((input, index) => { input.checked = index === state.view; });
  for (const [id, name] of [["scenario", "scenario"], ["writer-stack", "saved"], ["reader-stack", "loaded"], ["direction", "direction"], ["cause-filter", "cause"]]) byId(id).value = state[name];
  markChosen();
  byId("unfold").checked = !!state.unfold;
  if (byId("changed-only")) byId("changed-only").checked = !!state.changed;
}

let showUpgrade = () => {};
function refresh() {
  followQuestion();
  keepUnfoldedSmall();
  writeAddress(); // before anything is drawn: it has the page laid out
  drawGrid();
  drawLegend();
  showUpgrade();
  showControls();
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
  showUpgrade();
  showControls();
  showCell();
}
window.addEventListener("hashchange", () => {
  // A place on the page, where the browser has gone already: what is shown stays as it is.
  if (byId(location.hash.slice(1))) writeAddress(); else fromAddress();
});
fromAddress();
sumAhead();
// For anyone who asks from the console: the verdict that the page gives, as text.
window.ckptmatrix = {
  ask(old, next) {
    const { old: before, next: after, notes, why, measure } = questionOf(old, next);
    return { ends: [before, after].map(({ environment }) => environment?.id || ""), notes, why, measure };
  },
  judge(old, next, names = []) {
    const scenarios = names.length ? names.map((name) => raw.scenarios.indexOf(name)) : allScenarios;
    const upgrade = judgeUpgrade(environmentById.get(old), environmentById.get(next), scenarios, names.length > 0);
    return {
      answer: upgrade.headline, headline: headlineOf(upgrade), loss: lossOf(upgrade), details: detailsOf(upgrade),
      choices: upgrade.choices.map((choice) => [choice.title, choice.copy, choice.helps, outcomeText(choice), worseOf(choice)]),
      detour: upgrade.detour && detourText(upgrade.detour), notMeasured: notMeasured(upgrade.forward), back: wayBack(upgrade.back),
    };
  },
};
