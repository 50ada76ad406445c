"use strict";
// The measured outcomes, unpacked from the compact form that payload.py writes.
const root = document.documentElement;
const raw = JSON.parse(document.getElementById("data").textContent);
const text = (number) => raw.texts[number];

const environments = raw.environments.map(([release, stack, ready, python, torch, numpy, safetensors, reason], index) => ({
  index, release: raw.releases[release], releaseIndex: release, stack: raw.stacks[stack], ready: !!ready,
  python, torch, numpy, safetensors, reason,
  id: `accelerate-${raw.releases[release]}+${raw.stacks[stack]}`,
  name: `accelerate ${raw.releases[release]} on ${raw.stacks[stack]}`,
}));
const environmentById = new Map(environments.map((environment) => [environment.id, environment]));

// What outcomes have in common is made once: a part is shared by all that name it.
const sharing = (read) => {
  const made = new Map();
  return (number) => {
    if (!made.has(number)) made.set(number, read(raw.parts[number]));
    return made.get(number);
  };
};
const readError = (error) => error && { type: text(error[0]), message: text(error[1]), traceback: text(error[2]) };
const readComponents = sharing((part) => part.map(([name, verdict]) => ({ name: text(name), verdict: text(verdict) })));
const readDifferences = sharing((part) => new Map(part.map(([name, where, saved, found, differing, compared]) =>
  [text(name), { where: text(where), saved: text(saved), found: text(found), differing, compared }])));
const readRaised = sharing(readError);
const readSwallowed = sharing((part) => part.map(readError));
const readFirst = sharing((part) => part && { step: part[0], quantity: text(part[1]), expected: text(part[2]), found: text(part[3]) });
const readBad = sharing((part) => part.filter(([, verdict]) => ["lost", "wrong"].includes(text(verdict))).map(([name]) => text(name)));
const outcomes = raw.outcomes.map((o) => ({
  status: o[0], cause: text(o[1]), expected: o[2], change: text(o[3]),
  components: readComponents(o[4]), bad: readBad(o[4]), differences: readDifferences(o[5]),
  error: readRaised(o[6]), swallowed: readSwallowed(o[7]), steps: o[8], first: readFirst(o[9]),
  reason: text(o[10]), expectation: text(o[11]), measured: text(o[12]),
}));

const unpacked = raw.rows.map((runs) => {
  const row = new Int32Array(environments.length);
  for (let at = 0, i = 0; i < runs.length; i += 2) { row.fill(runs[i], at, at + runs[i + 1]); at += runs[i + 1]; }
  return row;
});
// Number of the outcome of one load; -1 if the run has no such cell.
const outcomeNumber = (view, scenario, writer, reader) => unpacked[raw.grid[view][scenario][writer]][reader];
const outcomeOf = (view, scenario, writer, reader) => outcomes[outcomeNumber(view, scenario, writer, reader)];

const statusOf = (number) => raw.statuses[number];
const isMeasured = (number) => raw.statuses[number].measured;

const numberOf = (name) => raw.statuses.findIndex((status) => status.name === name);
const NOT_RUN = numberOf("not-run");

const allScenarios = raw.scenarios.map((_, index) => index);
const span = (names) => (names.length === 1 ? names[0] : `${names[0]}–${names[names.length - 1]}`);
const digits = (number) => String(number).replace(/\B(?=(\d{3})+$)/g, "\u202f");

// Makes an element; texts become text nodes, so nothing out of a checkpoint is ever markup.
function make(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else if (value !== null && value !== false) element.setAttribute(name, value === true ? "" : value);
  }
  element.append(...children.flat().filter((child) => child !== null && child !== undefined && child !== false));
  return element;
}
const keyOf = (number) => make("span", { class: `key ${statusOf(number).name}`, "aria-hidden": "true" }, statusOf(number).glyph);
const link = (url) => (/^https?:\/\//.test(url) ? make("a", { href: url, rel: "noreferrer" }, url.replace("https://github.com/", "")) : url);
// Texts of the catalogue have code between backticks.
const prose = (said) => { const parts = said.split("`"); return parts.length % 2 ? parts.map((part, i) => (i % 2 ? make("code", {}, part) : part)) : [said]; };
const byId = (id) => document.getElementById(id);

// Everything that the address says, and that says everything about what is shown.
const ALL = "*"; // every scenario, where the grid first shows one
const DEFAULTS = { view: 0, scenario: raw.first || ALL, judge: "", from: "", to: "", hide: "", direction: "", saved: "", loaded: "", cause: "", unfold: "", changed: "", cell: "", tab: "" };
const state = { ...DEFAULTS };
function readAddress() {
  const found = new URLSearchParams(location.hash.slice(1));
  for (const name of Object.keys(DEFAULTS)) state[name] = found.has(name) ? found.get(name) : DEFAULTS[name];
  state.view = Math.min(Math.max(Number(state.view) || 0, 0), raw.views.length - 1);
  if (!raw.scenarios.includes(state.scenario) && state.scenario !== ALL) state.scenario = DEFAULTS.scenario;
  if (!raw.scenarios.includes(state.judge)) state.judge = "";
  if (!raw.stacks.includes(state.saved)) state.saved = "";
  if (!raw.stacks.includes(state.loaded)) state.loaded = "";
  if (state.cell.split("~").length !== 2 || !state.cell.split("~").every((id) => environmentById.has(id))) state.cell = "";
}
function writeAddress() {
  const told = new URLSearchParams();
  for (const [name, value] of Object.entries(state)) if (String(value) !== String(DEFAULTS[name])) told.set(name, value);
  const hash = told.toString();
  history.replaceState(null, "", hash ? `#${hash}` : location.pathname + location.search);
}
const these = (name) => (raw.scenarios.includes(name) ? [raw.scenarios.indexOf(name)] : allScenarios);
const shownScenarios = () => these(state.scenario);
const judgedScenarios = () => these(state.judge);
