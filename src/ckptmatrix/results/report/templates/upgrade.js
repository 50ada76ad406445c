// What "My upgrade" shows of an advice, and the form that asks for it.
function signOf({ forward, asBefore, byUpgrade }) {
  if (forward.answer === "safe") return ["exact", "✓"];
  if (forward.answer === "not-measured") return ["not-run", "?"];
  // No worse than staying is no alarm, however loudly something fails anyway.
  return forward.raised.size && (byUpgrade.length || !asBefore.length) ? ["failed", "✗"] : ["degraded", "≠"];
}

// All about some scenarios: what is lost, how they fail, why, and what to do.
function inFull({ forward, stay }, full, say) {
  const everywhere = (where) => (where.length === forward.measured && where.length > 1 ? "every scenario measured" : where.join(", "));
  const groups = new Map();
  for (const [name, all] of forward.lost) {
    const where = all.filter((scenario) => full.has(scenario));
    if (!where.length) continue;
    const key = JSON.stringify([where, where.every((scenario) => stay.losses(scenario).includes(name))]);
    groups.set(key, [...(groups.get(key) || []), name]);
  }
  for (const [key, names] of groups) {
    const [where, also] = JSON.parse(key);
    say("Lost silently", make("strong", {}, names.join(", ")), ` in ${everywhere(where)}${also ? " (lost without the upgrade as well)" : ""}`);
  }
  const drifts = forward.drifts.filter((name) => full.has(name));
  if (drifts.length) say("Differs afterwards", `${drifts.join(", ")}: all came back, the training after it differs`);
  for (const [message, where] of groupedByText([...forward.raised].filter(([name]) => full.has(name)))) {
    say("Fails", make("strong", {}, shortened(message)), raw.scenarios.length > 1 ? ` in ${everywhere(where)}` : "");
  }
  for (const id of new Set([...forward.because].filter(([name]) => full.has(name)).map(([, id_]) => id_))) {
    const cause = raw.causes[id];
    if (cause) { say("Because", ...prose(cause.title)); say("Remedy", ...prose(cause.remedy)); }
  }
}

// What is no better without the upgrade, by cause and folded away.
function notItsDoing({ forward, asBefore }, full) {
  const causes = asBefore.filter((name) => !full.has(name)).map((name) => [name, forward.because.get(name) || ""]);
  if (!causes.length) return null;
  const items = [...groupedByText(causes)].map(([id, names]) => {
    const cause = raw.causes[id];
    return make("li", {}, make("strong", {}, names.join(", ")), ": ",
      ...(cause ? [...prose(cause.title), ". ", make("span", { class: "quiet" }, "Remedy: ", ...prose(cause.remedy))] : ["fits no known cause"]));
  });
  const title = causes.length === 1 ? "1 scenario is not exact" : `${causes.length} scenarios are not exact`;
  return make("details", {}, make("summary", {}, `${title}, and no better without the upgrade`), make("ul", { class: "doing" }, items));
}

function showVerdict() {
  const writer = environmentById.get(state.from), reader = environmentById.get(state.to);
  const place = byId("verdict");
  if (!writer || !reader) { place.replaceChildren(); return; }
  const advice = advise(writer, reader, judgedScenarios());
  const { forward, back, stay, remedies, detour } = advice;
  const [kind, sign] = signOf(advice);
  const full = new Set(forward.total === 1 ? forward.hurt : advice.byUpgrade);
  const list = make("dl");
  const say = (term, ...parts) => list.append(make("dt", {}, term), make("dd", {}, ...parts));
  const plain = plainTraining(forward);
  if (plain) say("A plain training", make("strong", {}, plain));
  if (forward.answer === "unsafe" && stay.measured) say("Against staying", againstStaying(advice));
  if (forward.whole.length) say("Comes back whole", forward.whole.join(", "));
  inFull(advice, full, say);
  const rest = notItsDoing(advice, full);
  if (rest) say("Not its doing", rest);
  const unknown = [...groupedByText(forward.unmeasured)].map(([why, where]) => make("li", {}, `${where.join(", ")}: ${why}`));
  if (unknown.length === 1) say("Not measured", ...unknown[0].childNodes);
  if (unknown.length > 1) say("Not measured", make("details", {}, make("summary", {}, counted(forward.unmeasured.size)), make("ul", { class: "doing" }, unknown)));
  for (const remedy of remedies) say("Measured remedy", make("strong", {}, remedySentence(remedy)));
  if (detour) say("A way round", detourSentence(detour, forward));
  say("The way back", keyOf(back.answer === "safe" ? raw.exact : numberOf(back.answer === "not-measured" ? "not-run" : back.raised.size ? "failed" : "degraded")), ` ${verdictSentence(back)}`);
  const look = make("button", { type: "button", class: "link", onclick: () => openCell(writer, reader, state.judge || ALL) }, "Every detail of this load");
  place.replaceChildren(
    make("p", { class: `verdict ${kind}` }, make("span", { class: "sign", "aria-hidden": "true" }, sign), make("span", {}, decisionSentence(advice))),
    list, make("p", {}, look));
}

let answered = "";
function setUpUpgrade() {
  const form = byId("upgrade-form");
  const fields = ["from", "to"].map((side) => [side, form.elements[`${side}-release`], form.elements[`${side}-stack`]]);
  for (const [, release, stack] of fields) {
    release.append(...raw.releases.map((name) => make("option", {}, name)));
    stack.append(...raw.stacks.map((name) => make("option", {}, name)));
  }
  const scenario = form.elements["upgrade-scenario"];
  scenario?.append(make("option", { value: "" }, "all"), ...raw.scenarios.map((name) => make("option", { value: name }, name)));
  form.addEventListener("change", () => {
    if (scenario) state.judge = scenario.value;
    for (const [side, release, stack] of fields) state[side] = `accelerate-${release.value}+${stack.value}`;
    refresh();
  });
  byId("swap").addEventListener("click", () => { [state.from, state.to] = [state.to, state.from]; refresh(); });
  return () => {
    const newest = environments.filter((environment) => environment.ready).pop() || environments[environments.length - 1];
    if (newest && !environmentById.has(state.to)) state.to = newest.id;
    if (newest && !environmentById.has(state.from)) {
      const older = environments.filter((e) => e.ready && e.stack === newest.stack && e.index < newest.index).pop();
      state.from = (older || newest).id;
    }
    for (const [side, release, stack] of fields) {
      const chosen = environmentById.get(state[side]);
      if (chosen) { release.value = chosen.release; stack.value = chosen.stack; }
    }
    if (scenario) scenario.value = state.judge;
    const asked = [state.from, state.to, state.judge].join();
    if (asked !== answered) showVerdict();
    answered = asked;
  };
}
