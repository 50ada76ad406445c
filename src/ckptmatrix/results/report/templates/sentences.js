// The verdict in sentences, those of results/verdict/sentences.py.
const listed = (parts) => (parts.length > 1 ? `${parts.slice(0, -1).join(", ")} and ${parts[parts.length - 1]}` : parts[0]);
const named = (names) => (names.length <= rules.named ? names.join(", ") : `${names.slice(0, rules.named - 1).join(", ")} and ${names.length - rules.named + 1} more`);
const shortened = (message) => (message.length <= rules.message ? message : `${message.slice(0, rules.message - 1).trimEnd()}…`);
const lowered = (title) => title[0].toLowerCase() + title.slice(1);

// [name, text] pairs become text -> names.
function grouped(texts) {
  const groups = new Map();
  for (const [name, text_] of texts) groups.set(text_, [...(groups.get(text_) || []), name]);
  return groups;
}

function headlineOf(upgrade) {
  if (upgrade.headline === "go") return "Go. Nothing gets worse.";
  if (upgrade.headline === "go-if") return `Go, if you do this first: ${lowered(upgrade.first.title)}.`;
  if (upgrade.headline === "not-measured") return `Not measured: ${unknown(upgrade.forward)}.`;
  return `Don't: it breaks, and ${upgrade.choices.length > 1 || upgrade.detour ? "what was measured helps only in part" : "nothing measured helps"}.`;
}

function between(writer, reader) {
  if (writer.stack === reader.stack) return `accelerate ${writer.release} -> ${reader.release} on ${writer.stack}`;
  return `accelerate ${writer.release} on ${writer.stack} -> ${reader.release} on ${reader.stack}`;
}

function countsOf(crossing) {
  if (crossing.judged.length === 1 && crossing.measured.length === 1) {
    const [one] = crossing.measured;
    const other = one.against === "other";
    const before = one.stay ? statusOf(one.stay.status).name : "not measured";
    return `${other ? "same" : one.against}: ${before} before, ${statusOf(one.now.status).name} after${other ? ", by another cause" : ""}`;
  }
  const counted = (kind) => { const names = crossing.of(kind); return names.length ? `${names.length} ${kind} (${named(names)})` : `0 ${kind}`; };
  const other = crossing.of("other"), left = crossing.of("not-measured");
  const alike = `${crossing.of("same").length + other.length} the same${other.length ? ` (${other.length} by another cause: ${named(other)})` : ""}`;
  return `${crossing.measured.length} measured: ${counted("worse")}, ${counted("better")}, ${alike}${left.length ? `; ${left.length} not measured` : ""}`;
}

function whereIn(names, crossing) {
  if (crossing.judged.length === 1) return "";
  return names.length === crossing.measured.length && names.length > 1 ? " in every scenario measured" : ` in ${named(names)}`;
}

const comesBack = (crossing) => fatesOf(crossing).filter(({ back }) => back).map(({ group, of, back }) => (of !== back ? `${group} in ${back} of ${of}` : of === 1 ? group : `${group} in all ${of}`));

function isLost(crossing) {
  return fatesOf(crossing).flatMap(({ group, lost }) => {
    const alike = grouped([...lost].map(([name, places]) => [name, JSON.stringify(places)]));
    return [...alike].map(([places, names]) => `${group} (${names.join(", ")})${whereIn(JSON.parse(places), crossing)}`);
  });
}

const madeWorse = (crossing) => crossing.judged.filter(({ against }) => against === "worse");
const raises = (crossing) => [...grouped(madeWorse(crossing).filter(({ raised }) => raised).map(({ name, raised }) => [name, shortened(raised)]))].map(([text_, names]) => `${text_}${whereIn(names, crossing)}`);
const differs = (crossing) => named(madeWorse(crossing).filter(({ drifts }) => drifts).map(({ name }) => name));
const notMeasured = (crossing) => [...grouped(crossing.judged.filter(({ whyNot }) => whyNot).map(({ name, whyNot }) => [name, whyNot]))];
const unknown = (crossing) => notMeasured(crossing).map(([why, names]) => `${named(names)}: ${why}`).join("; ") || "no scenario";

// What the upgrade costs, in a sentence or two.
function lossOf({ forward }) {
  if (!forward.measured.length) return "";
  if (forward.judged.length === 1) return lossOfOne(forward.measured[0], forward);
  if (!forward.worse.length) return countsOf(forward);
  const worse = madeWorse(forward);
  const lose = fatesOf(forward).map(({ group, lost }) => [new Set([...lost.values()].flat()).size, `lose ${group}`]);
  lose.push([worse.filter(({ raised }) => raised).length, "fail"], [worse.filter(({ drifts }) => drifts).length, "go on otherwise"]);
  return `${forward.worse.length} of ${forward.measured.length} trainings get worse: ${lose.filter(([count]) => count).map(([count, what]) => `${count} ${what}`).join(", ")}.`;
}

function lossOfOne(one, crossing) {
  if (one.exact) return "Everything comes back, and the training goes on as if never interrupted.";
  const cause = raw.causes[one.now.cause];
  const because = cause ? ` Because: ${cause.title.replace(/\.+$/, "")}.` : "";
  if (one.raised) return `The load fails: ${shortened(one.raised)}${because && "."}${because}`;
  const back = comesBack(crossing).join("; ");
  const said = back ? `${back[0].toUpperCase()}${back.slice(1)} come back` : "Nothing comes back whole";
  if (one.drifts) return `${said}, and the training after it differs.${because}`;
  const lost = rules.groups.map((group, number) => [group, [...new Set(one.lost.filter((name) => rules.groupOf[name] === number).map(baseOf))]]).filter(([, names]) => names.length);
  return `${said}. Lost, and no error says so: ${lost.map(([group, names]) => `${group} (${names.join(", ")})`).join("; ")}.${because}`;
}

// Label and text of everything that is known of the upgrade itself; choices apart.
function detailsOf(upgrade) {
  const { headline, forward, named: byName } = upgrade;
  if (headline === "not-measured" && !forward.worse.length) return [];
  const back = comesBack(forward), drift = differs(forward), today = forward.asBefore;
  const unsaved = byName ? fatesOf(forward).flatMap((fate) => fate.unsaved).join(", ") : "";
  return [
    ...(lossOf(upgrade) !== countsOf(forward) ? [["against staying", countsOf(forward)]] : []),
    ...(back.length ? [["comes back", back.join("; ")]] : []),
    ...isLost(forward).map((text_) => ["is lost", text_]),
    ...(drift ? [["goes on otherwise", `${drift}: all comes back, the training after it differs`]] : []),
    ...raises(forward).map((text_) => ["fails", text_]),
    ...(unsaved ? [["never saved", unsaved]] : []),
    ...[...forward.causes].filter(([id]) => raw.causes[id]).flatMap(([id, names]) => [["because", `${raw.causes[id].title}${whereIn(names, forward)}`], ["advice", raw.causes[id].remedy]]),
    ...(today.length ? [["not its doing", `${named(today)} ${today.length === 1 ? "is" : "are"} not whole with what you have either`]] : []),
  ];
}

function outcomeText({ chosen }) {
  if (chosen.measured.length !== 1) return `${chosen.exact.length} of ${chosen.measured.length} resume exactly`;
  const [one] = chosen.measured;
  if (one.exact) return "resumes exactly";
  if (one.raised) return `fails: ${shortened(one.raised)}`;
  return one.lost.length ? `loses ${[...new Set(one.lost.map(baseOf))].join(", ")}` : "comes back, but goes on otherwise";
}

function worseOf({ everything: { worse, measured } }) {
  return worse.length ? `${worse.length} of ${measured.length} (${named(worse)})` : `0 of ${measured.length}`;
}

function wayBack(back) {
  if (!back.measured.length) return `not measured: ${unknown(back)}`;
  if (back.exact.length === back.judged.length) return back.judged.length === 1 ? "resumes exactly" : "everything resumes exactly";
  if (!back.worse.length) return `nothing gets worse by going back (${countsOf(back)})`;
  const drift = differs(back);
  return [`${back.worse.length} of ${back.measured.length} get worse by going back`, ...raises(back), ...isLost(back).map((one) => `lost: ${one}`), ...(drift ? [`goes on otherwise: ${drift}`] : [])].join("; ");
}

function detourText(detour) {
  const names = detour.stops.map((stop) => environments[stop].name);
  const steps = names.slice(1, -1).map((stop) => `load in ${stop} and save again there`);
  return `${[...steps, `load in ${names[names.length - 1]}`].join(", then ")}: exact in ${named(detour.scenarios)} (each hop measured on its own, the whole way not yet run)`;
}
