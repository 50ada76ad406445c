// The question: versions of both sides as they are typed or pasted, and the trainings that are asked about.
const SIDES = ["from", "to"];
const form = byId("upgrade-form");
const fieldOf = (side, name) => form.elements[`${side}-${name}`];
const typedOf = (side) => Object.fromEntries(known.packages.map((name) => [name, fieldOf(side, name).value.trim()]));
const judgedNames = () => state.judge.split(",").filter(Boolean);

// The newest release from the one before, on the newest stack that has both: what most people ask.
function commonest() {
  for (const number of known.newest) {
    const own = environments.filter(({ ready, stack }) => ready && stack === raw.stacks[number]);
    if (own.length > 1) return own.slice(-2);
  }
  const newest = environments.filter(({ ready }) => ready).pop() || environments[environments.length - 1];
  return [newest, newest];
}

let asking = null, wait;
function ask(side) {
  clearTimeout(wait);
  if (side) state[side] = lineOf(typedOf(side));
  refresh();
}
// While someone types, the answer waits until they pause.
function askSoon(side) {
  clearTimeout(wait);
  wait = setTimeout(() => ask(side), 350);
}

function fillFrom(side, text_) {
  const pins = pinsOf(text_);
  if (!Object.keys(pins).length) return false;
  for (const name of known.packages) fieldOf(side, name).value = pins[name] || "";
  ask(side);
  return true;
}

// Trainings: none chosen means all of them.
function choose(scenarios) {
  state.judge = scenarios.map((scenario) => raw.scenarios[scenario]).join(",");
  ask();
  byId("headline").scrollIntoView({ block: "nearest" });
}

function setUpTrainings() {
  const place = byId("trainings");
  if (!place) return;
  const box = (scenario, words) => make("label", { class: "check" }, make("input", { type: "checkbox", value: scenario }),
    make("span", {}, words || raw.scenarios[scenario], words && make("code", {}, raw.scenarios[scenario])));
  place.querySelector(".groups").replaceChildren(...known.trainings.map(([title, members]) =>
    make("fieldset", {}, make("legend", {}, title), members.map(([scenario, words]) => box(scenario, words)))));
  const boxes = () => [...place.querySelectorAll("input")];
  place.addEventListener("change", () => {
    state.judge = boxes().filter(({ checked }) => checked).map(({ value }) => raw.scenarios[value]).join(",");
    ask();
  });
  byId("trainings-none").addEventListener("click", () => choose([]));
}

function showTrainings() {
  const place = byId("trainings");
  if (!place) return;
  const chosen = judgedNames();
  for (const input of place.querySelectorAll("input")) input.checked = chosen.includes(raw.scenarios[input.value]);
  byId("trainings-chosen").textContent = !chosen.length ? `any of ${allScenarios.length}`
    : chosen.length === 1 ? trainingText(raw.scenarios.indexOf(chosen[0])) : named(chosen);
  byId("trainings-none").hidden = !chosen.length;
}

// What each version stands for, beside it; where none does, what can be asked instead.
function showSides(question) {
  for (const [side, found] of [["from", question.old], ["to", question.next]]) {
    const typing = form.contains(document.activeElement) && document.activeElement.name?.startsWith(`${side}-`);
    for (const name of known.packages) {
      const field = fieldOf(side, name);
      if (!typing) field.value = found.pins[name] || "";
      const place = found.places[name];
      field.setAttribute("aria-invalid", String(!!place && !place.version));
    }
    const said = Object.entries(found.places).filter(([, place]) => place.said).map(([name, place]) =>
      make("li", { class: place.version ? null : "lacking" }, `${name} ${found.pins[name]}: ${place.said}`,
        place.instead.slice(-3).map((version) => [" ", make("button", { type: "button", class: "link", onclick: () => { fieldOf(side, name).value = version; ask(side); } }, `ask for ${version}`)]).flat()));
    byId(`${side}-said`).replaceChildren(...said);
  }
}

let answered = "";
function setUpUpgrade() {
  for (const name of known.packages) byId(`known-${name}`).append(...[...known.scales[name].versions].reverse().map((version) => make("option", { value: version })));
  for (const side of SIDES) {
    for (const name of known.packages) {
      const field = fieldOf(side, name);
      field.addEventListener("input", () => askSoon(side));
      field.addEventListener("change", () => ask(side));
      field.addEventListener("paste", (event) => {
        const pasted = event.clipboardData?.getData("text") || "";
        if (/[=@\n]/.test(pasted) && fillFrom(side, pasted)) event.preventDefault();
      });
    }
    const area = fieldOf(side, "freeze"), told = byId(`${side}-pasted`);
    area.addEventListener("input", () => {
      const found = !area.value.trim() || fillFrom(side, area.value);
      told.textContent = !area.value.trim() ? "" : found ? `read: ${lineOf(pinsOf(area.value))}` : "no accelerate, torch or numpy in it";
    });
  }
  form.addEventListener("submit", (event) => event.preventDefault());
  byId("swap").addEventListener("click", () => {
    [state.from, state.to] = [state.to, state.from];
    document.activeElement.blur();
    ask();
    byId("swap").focus();
  });
  setUpTrainings();
  return () => {
    const asked = [state.from, state.to, state.judge].join();
    if (asked === answered) return;
    answered = asked;
    showSides(asking);
    showTrainings();
    showVerdict(asking);
  };
}

// What the grid begins with: the stacks and trainings that are asked about.
function followed() {
  const chosen = judgedNames();
  return {
    saved: asking?.old.environment?.stack || "", loaded: asking?.next.environment?.stack || "",
    scenario: chosen.length > 1 ? CHOSEN : chosen[0] || raw.first || ALL,
  };
}
function ponder() {
  const [older, newest] = commonest();
  if (newest && !state.to) state.to = newest.id;
  if (newest && !state.from) state.from = older.id;
  asking = questionOf(state.from, state.to);
}
