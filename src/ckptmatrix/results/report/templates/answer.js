// What the first screen answers: headline, loss, choices, and a line each for the rest.
const SIGNS = { go: ["exact", "✓"], "go-if": ["degraded", "≠"], dont: ["failed", "✗"], "not-measured": ["not-run", "?"] };
const wordsOf = new Map(known.trainings.flatMap(([, members]) => members));
const trainingText = (scenario) => wordsOf.get(scenario) || raw.scenarios[scenario];

// Copies, or where a browser does not let it, selects what is to be copied.
async function copyText(button, copied, shown) {
  try {
    await navigator.clipboard.writeText(copied);
    button.textContent = "Copied";
  } catch {
    if (shown) getSelection().selectAllChildren(shown);
    button.textContent = shown ? "Selected" : "Not allowed here";
  }
}
function copyLine(text_, what) {
  const code = make("code", {}, text_);
  const button = make("button", { type: "button", class: "small", onclick: () => copyText(button, text_, code) }, "Copy", make("span", { class: "hear" }, ` ${what}`));
  return make("span", { class: "copy" }, code, button);
}

// Where nothing gets worse nothing has to be done; what is not whole today either may still be made so.
const choicesShown = ({ headline, choices }) => (headline === "go" ? choices.slice(0, -1) : choices);

function choicesTable(upgrade) {
  const shown_ = choicesShown(upgrade);
  if (!shown_.length) return null;
  const single = upgrade.forward.judged.length === 1;
  const what = upgrade.headline === "go" ? "What makes more of it whole (nothing has to be done)" : "What to do (pick one)";
  const heads = [what, single ? "Measured for this training" : "Measured for these trainings", "Worse than staying, of all trainings"];
  return make("table", { class: "plain choices" },
    make("thead", {}, make("tr", {}, heads.map((head) => make("th", { scope: "col" }, head)))),
    make("tbody", {}, shown_.map((choice) => make("tr", { class: choice.helps ? "helps" : null },
      make("th", { scope: "row" }, make("span", { class: "todo" }, choice.title), copyLine(choice.copy, `the line for: ${choice.title}`)),
      make("td", { "data-head": heads[1], class: choice.helps ? "good" : "bad" }, make("span", { "aria-hidden": "true" }, choice.helps ? "✓ " : "≠ "), outcomeText(choice)),
      make("td", { "data-head": heads[2] }, worseOf(choice))))));
}

// What is not whole without the change either, folded, and asked back.
function todayToo({ forward }) {
  const names = forward.asBefore;
  if (!names.length) return null;
  const staying = `accelerate ${forward.writer.release}`;
  const title = names.length === 1 ? `1 training is not resumed exactly by ${staying} either. Do you do that?`
    : `${names.length} trainings are not resumed exactly by ${staying} either. Do you do one of these?`;
  return make("details", { class: "today" }, make("summary", {}, title),
    make("ul", { class: "columns" }, names.map((name) => {
      const scenario = raw.scenarios.indexOf(name);
      return make("li", {}, make("button", { type: "button", class: "link", onclick: () => choose([scenario]) }, trainingText(scenario)), " ", make("code", {}, name));
    })));
}

// The verdict as lines, as `ckptmatrix upgrade` prints it.
function asText(upgrade, notes) {
  const line = ([label, said]) => `  ${label}: ${said}`;
  const shown_ = choicesShown(upgrade).flatMap((choice) => [`  ${choice.helps ? "+" : "-"} ${choice.title}: ${outcomeText(choice)}`, `    ${choice.copy}`, `    worse than staying, of all trainings: ${worseOf(choice)}`]);
  return [headlineOf(upgrade), `  ${between(upgrade.forward.writer, upgrade.forward.reader)}${upgrade.named ? `, ${named(judgedNames())}` : ""}`, `  ${lossOf(upgrade)}`,
    ...notes.map((note) => `  asked for: ${note}`), ...detailsOf(upgrade).map(line), ...shown_,
    ...notMeasured(upgrade.forward).map(([why, names]) => `  not measured: ${named(names)}: ${why}`),
    `  the way back: ${wayBack(upgrade.back)}`, `  measured: ${known.measured}`].join("\n");
}

function linesOf(upgrade, question) {
  const list = make("dl");
  const say = (term, ...parts) => list.append(make("dt", {}, term), make("dd", {}, ...parts));
  if (upgrade.detour) say("A way round", detourText(upgrade.detour));
  say("The way back", wayBack(upgrade.back));
  const unknown_ = notMeasured(upgrade.forward);
  if (unknown_.length) {
    const count = upgrade.forward.of("not-measured").length;
    say("Not measured", make("details", {}, make("summary", {}, `${count} of ${upgrade.scenarios.length}: ${named(upgrade.forward.of("not-measured"))}`),
      make("ul", {}, unknown_.map(([why, names]) => make("li", {}, `${named(names)}: ${why}`)))));
  } else say("Not measured", "nothing of what was asked for");
  say("Device", known.device);
  if (question.approximate) say("To measure it", copyLine(question.measure, "the command that measures what was asked"));
  return list;
}

function detailsBlock(upgrade) {
  const said = detailsOf(upgrade);
  if (!said.length) return null;
  return make("details", {}, make("summary", {}, "What exactly, and why"),
    make("dl", {}, said.flatMap(([label, text_]) => [make("dt", {}, label), make("dd", {}, ...prose(text_))])));
}

function actions(upgrade, notes) {
  const { writer, reader, worse } = upgrade.forward;
  const chosen = judgedNames();
  const tab = chosen.length === 1 ? chosen[0] : worse[0] || ALL;
  const button = (label, act) => { const made = make("button", { type: "button", class: "link", onclick: () => act(made) }, label); return made; };
  return make("p", { class: "actions" },
    button("Every detail of this load", () => openCell(writer, reader, tab)),
    button("Copy link", (made) => copyText(made, location.href)),
    button("Copy as text", (made) => copyText(made, asText(upgrade, notes))));
}

// One headline is kept and gets another text, so that only it is read aloud.
function tell(kind, sign, said, ...rest) {
  const headline = byId("headline");
  headline.className = `verdict ${kind}`;
  headline.replaceChildren(make("span", { class: "sign", "aria-hidden": "true" }, sign), make("span", {}, said));
  byId("told").replaceChildren(...rest.filter(Boolean));
}

function showVerdict(question) {
  if (question.why.length) {
    const { why, lacking } = question;
    tell("not-run", "?", `Not measured: ${(lacking.length ? lacking : why).join("; ")}.`,
      lacking.length ? make("p", { class: "loss" }, `${why.join("; ")}.`) : null,
      question.measurable ? make("p", { class: "measure" }, "Measure it: ", copyLine(question.measure, "the command that measures it")) : null);
    return;
  }
  const [writer, reader] = [question.old.environment, question.next.environment];
  const upgrade = judgeUpgrade(writer, reader, judgedScenarios(), state.judge !== "");
  const loss = lossOf(upgrade);
  tell(...SIGNS[upgrade.headline], headlineOf(upgrade),
    loss ? make("p", { class: "loss" }, ...prose(loss)) : null,
    make("p", { class: "quiet ends" }, `${between(writer, reader)}${upgrade.named ? `, ${named(judgedNames())}` : `, all ${allScenarios.length} trainings of this run`}`),
    choicesTable(upgrade), todayToo(upgrade), linesOf(upgrade, question), detailsBlock(upgrade), actions(upgrade, question.notes));
}
