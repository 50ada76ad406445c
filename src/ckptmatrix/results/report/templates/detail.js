// Everything about one load, made when it is asked for.
const dialog = byId("cell");
let shown = "";

// `tab` is the scenario to begin with; what is none begins with the worst.
function openCell(writer, reader, tab) {
  state.cell = `${writer.id}~${reader.id}`;
  state.tab = tab === state.scenario ? "" : tab;
  showCell();
  writeAddress();
}

// As a shell takes it for one word, whatever is in it.
const quoted = (value) => (/^[\w@%+=:,./-]+$/.test(value) ? value : `'${value.replaceAll("'", `'"'"'`)}'`);

// What `ckptmatrix run` takes to measure this cell and no other.
function commandFor(writer, reader, scenario, view) {
  const both = (key) => [...new Set([writer[key], reader[key]].map((name) => (key === "stack" ? name.split("+")[0] : name)))].join(",");
  const parts = [`saved-${writer.release}+${writer.stack}`, `loaded-${reader.release}+${reader.stack}`];
  const treatments = [...new Set(raw.views.map((other) => other.treatment))].filter((name) => name !== "as-saved");
  parts.push(...(view.treatment === "as-saved" ? treatments.map((name) => `not ${name}`) : [view.treatment]));
  const options = [
    ["--accelerate", both("release")], ["--stack", both("stack")], ["--device", [writer, reader].some(({ stack }) => stack.includes("+")) ? "both" : ""],
    ["--scenario", raw.scenarios[scenario]], ["--loader", view.loader], ["-k", parts.join(" and ")],
  ];
  return `ckptmatrix run ${options.filter(([, value]) => value).map(([name, value]) => `${name} ${quoted(value)}`).join(" ")}`;
}

function environmentsTable(writer, reader) {
  const line = (term, key) => make("tr", {}, make("th", { scope: "row" }, term), make("td", {}, writer[key] || "–"), make("td", {}, reader[key] || "–"));
  return make("table", { class: "plain" },
    make("thead", {}, make("tr", {}, make("td"), make("th", { scope: "col" }, "saved with"), make("th", { scope: "col" }, "loaded with"))),
    make("tbody", {}, line("accelerate", "release"), line("stack", "stack"), line("Python", "python"), line("torch", "torch"), line("numpy", "numpy"), line("safetensors", "safetensors"),
      (writer.reason || reader.reason) && line("remark", "reason")));
}

function componentsTable(outcome) {
  if (!outcome.components.length) return make("p", { class: "quiet" }, "The load did not return, so no component was compared.");
  const line = ({ name, verdict }) => {
    const difference = outcome.differences.get(name);
    const bad = outcome.bad.includes(name);
    const extent = difference && `${difference.where ? `at ${difference.where}; ` : ""}${difference.differing} of ${difference.compared} values`;
    return make("tr", { class: bad ? "bad" : null }, make("th", { scope: "row" }, name),
      make("td", {}, bad ? keyOf(numberOf("degraded")) : null, bad ? " " : null, verdict),
      make("td", {}, difference ? difference.saved : "–"), make("td", {}, difference ? difference.found : ({ restored: "as saved", "not told apart": "as saved, and so it was before the load" })[verdict] || "–"),
      make("td", {}, extent || ""));
  };
  return make("table", { class: "plain" },
    make("thead", {}, make("tr", {}, ["component", "verdict", "saved", "found", "where"].map((name) => make("th", { scope: "col" }, name)))),
    make("tbody", {}, outcome.components.map(line)));
}

function errorBlock(title, error) {
  return [make("h3", {}, title), make("pre", { tabindex: "0" }, `${error.traceback ? `${error.traceback}\n` : ""}${error.type}: ${error.message}`)];
}

function outcomeParts(outcome, writer, reader, scenario) {
  const status = statusOf(outcome.status);
  const parts = [make("p", {}, make("span", { class: `status ${status.name}` }, `${status.glyph} ${status.name}`), ` ${status.meaning[0].toUpperCase()}${status.meaning.slice(1)}.`)];
  if (outcome.reason) parts.push(make("p", {}, outcome.reason));
  if (outcome.change) parts.push(make("p", {}, make("strong", {}, `${outcome.change} since the baseline`)));
  if (outcome.expected === false) parts.push(make("p", {}, make("strong", {}, "Not as expected. "), outcome.expectation));
  else if (outcome.expectation) parts.push(make("p", { class: "quiet" }, `As expected: ${outcome.expectation}`));
  if (outcome.measured) parts.push(make("p", { class: "quiet" }, `Measured ${outcome.measured}.`));
  const cause = raw.causes[outcome.cause];
  if (cause) {
    parts.push(make("h3", {}, ...prose(cause.title)), make("p", {}, ...prose(cause.explanation)), make("p", {}, make("strong", {}, "Remedy: "), ...prose(cause.remedy)));
    if (cause.links.length) parts.push(make("p", { class: "links" }, "Upstream: ", cause.links.flatMap((url, i) => (i ? [", ", link(url)] : [link(url)]))));
  } else if (isMeasured(outcome.status) && outcome.status !== raw.exact) {
    parts.push(make("p", {}, make("span", { class: "flag" }, "Fits no known cause")));
  }
  if (outcome.error) parts.push(...errorBlock("What was raised", outcome.error));
  if (isMeasured(outcome.status)) parts.push(make("h3", {}, outcome.error ? "What it had loaded by then" : "Component by component"), componentsTable(outcome));
  if (outcome.first) {
    parts.push(make("h3", {}, "First difference after the resume"),
      make("p", {}, `Step ${outcome.first.step}, ${outcome.first.quantity}: expected `, make("code", {}, outcome.first.expected), ", found ", make("code", {}, outcome.first.found)));
  } else if (outcome.steps > 0) {
    parts.push(make("p", {}, `The ${outcome.steps} steps after the load equal an uninterrupted run.`));
  }
  for (const error of outcome.swallowed) parts.push(...errorBlock("Caught inside the load, and only logged", error));
  const command = commandFor(writer, reader, scenario, raw.views[state.view]);
  parts.push(make("h3", {}, "Measure exactly this again"), make("div", { class: "command" }, make("pre", { tabindex: "0" }, command), make("button", { type: "button", class: "copy" }, "Copy")));
  return parts;
}

function showCell() {
  if (!state.cell) { if (dialog.open) dialog.close(); return; }
  const [writer, reader] = state.cell.split("~").map((id) => environmentById.get(id));
  shown = state.cell;
  const found = allScenarios.filter((scenario) => outcomeNumber(state.view, scenario, writer.index, reader.index) >= 0)
    .sort((a, b) => outcomeOf(state.view, a, writer.index, reader.index).status - outcomeOf(state.view, b, writer.index, reader.index).status);
  const wanted = raw.scenarios.indexOf(state.tab || state.scenario);
  const current = found.includes(wanted) ? wanted : found[0];
  const outcome = current === undefined ? null : outcomeOf(state.view, current, writer.index, reader.index);
  const direction = { upgrade: "An upgrade", rollback: "A rollback", same: "The same release" }[directionOf(writer, reader)];
  const again = (change) => () => { change(); showCell(); writeAddress(); dialog.querySelector("h2").focus(); };
  const tabs = found.length > 1 && make("div", { class: "tabs", role: "group", "aria-labelledby": "others" }, found.map((scenario) =>
    make("button", { type: "button", "aria-pressed": String(scenario === current), onclick: again(() => { state.tab = raw.scenarios[scenario]; }) },
      keyOf(outcomeOf(state.view, scenario, writer.index, reader.index).status), ` ${raw.scenarios[scenario]}`)));
  const alike = (side, chosen) => raw.folds[side].find(({ members }) => members.includes(chosen.index)).members.map((index) => environments[index]);
  const picker = (label, side, chosen, change) => {
    const group = alike(side, chosen);
    if (group.length < 2) return null;
    return make("label", {}, `${label} `, make("select", { onchange: (event) => again(() => change(group[event.target.selectedIndex]))() },
      group.map((member) => make("option", { selected: member === chosen }, member.release))));
  };
  const pick = make("div", { class: "pick" },
    picker("Saved with", "writer", writer, (other) => { state.cell = shown = `${other.id}~${reader.id}`; }),
    picker("loaded with", "reader", reader, (other) => { state.cell = shown = `${writer.id}~${other.id}`; }));
  const close = make("button", { type: "button", class: "close", onclick: () => dialog.close() }, "Close");
  dialog.replaceChildren(close, make("div", { class: "inner" },
    make("h2", { id: "cell-title", tabindex: "-1", autofocus: true }, `Saved with ${writer.release}, loaded with ${reader.release}`),
    make("p", { class: "quiet" }, `${direction}, ${writer.stack}${writer.stack === reader.stack ? "" : ` to ${reader.stack}`}. ${raw.views[state.view].title}${current === undefined ? "" : `, scenario ${raw.scenarios[current]}`}.`),
    outcome ? outcomeParts(outcome, writer, reader, current) : make("p", {}, "This run has no such load."),
    tabs ? [make("h3", { id: "others" }, `Other scenarios between the two, worst first`), tabs] : null,
    pick.childElementCount ? [make("h3", {}, "Releases that behave alike"), pick] : null,
    make("h3", {}, "The two environments"), environmentsTable(writer, reader)));
  if (!dialog.open) dialog.showModal();
}

function setUpDetail() {
  dialog.addEventListener("close", () => { state.cell = state.tab = shown = ""; writeAddress(); });
  dialog.addEventListener("click", (event) => { if (event.target === dialog) dialog.close(); });
}
