// The grid: drawn anew whenever what it shows changes, in the words that grid.py used first.
const MOST_UNFOLDED = 4000;
const table = byId("matrix");

const single = Object.fromEntries(Object.entries(raw.folds).map(([side, folds]) => [side, folds.flatMap(({ era, members }) => members.map((index) => ({ era, members: [index] })))]));
// What is alike on one side of the grid, `writer` (its rows) or `reader` (its columns), under the filters.
function foldsOf(side) {
  const named = ({ era, members: indices }) => {
    const members = indices.map((index) => environments[index]);
    const releases = members.map((member) => member.releaseIndex);
    return {
      members, era, first: members[0].index, stack: members[0].stack, name: span(members.map((member) => member.release)),
      releases: new Set(releases), oldest: Math.min(...releases), newest: Math.max(...releases),
    };
  };
  const stack = side === "writer" ? state.saved : state.loaded;
  const chosen = (state.unfold ? single : raw.folds)[side].map(named).filter((fold) => !stack || fold.stack === stack);
  for (const fold of chosen) fold.said = `${side === "writer" ? "saved" : "loaded"} with ${fold.name} on ${fold.stack}`;
  return chosen;
}
const letter = (era) => (era < 26 ? String.fromCharCode(65 + era) : String(era + 1));
const spread = (items, key) => items.reduce((runs, item) => {
  const last = runs[runs.length - 1];
  if (last && last.key === key(item)) last.items.push(item); else runs.push({ key: key(item), items: [item] });
  return runs;
}, []);

// The grid that is there without scripts: every fold of every stack.
let drawn = ",,,";
let rows, columns;
function layOut() {
  [rows, columns] = [foldsOf("writer"), foldsOf("reader")];
  if (state.changed) {
    const scenarios = shownScenarios(), all = columns;
    columns = all.filter((column) => rows.some((row) => hasTurned(row, column, scenarios)));
    rows = rows.filter((row) => columns.some((column) => hasTurned(row, column, scenarios)));
  }
  columns.forEach((column, i) => { column.edge = i > 0 && columns[i - 1].stack !== column.stack; });
  for (const row of rows) row.meets = new Set(columns.filter((column) => column.members.some((member) => row.releases.has(member.releaseIndex))));
}
layOut();

const anyChange = outcomes.some((outcome) => outcome.change);
// Whether any load that a cell stands for is not as in the baseline, or not as expected.
function hasTurned(row, column, scenarios) {
  return row.members.some((writer) => {
    const sums = sumsOf(state.view, scenarios, writer.index);
    return column.members.some(({ index }) => sums.changed[index] || sums.surprise[index]);
  });
}
function directionOf(writer, reader) {
  if (writer.releaseIndex === reader.releaseIndex) return "same";
  return writer.releaseIndex < reader.releaseIndex ? "upgrade" : "rollback";
}
// The same of folds: whether any of their loads goes there.
const GOES = {
  same: (row, column) => row.meets.has(column),
  upgrade: (row, column) => row.oldest < column.newest,
  rollback: (row, column) => row.newest > column.oldest,
};

// One cell as grid.py's GridCell: status, marks, label; and whether the filters let it through.
function cellAt(row, column, sums, shown) {
  const reader = column.first;
  const [exact, measured, total] = [sums.exact[reader], sums.measured[reader], sums.total[reader]];
  const share = measured ? Math.floor(100 * exact / measured) : 0;
  const marks = share > 0 && share < 100 ? ["some"] : [];
  if (measured && sums.missing[reader]) marks.push("partial");
  if (state.view === 0 && sums.remedy[reader]) marks.push("remedy");
  if (row.meets.has(column)) marks.push("same");
  if (sums.surprise[reader]) marks.push("surprise");
  const changed = shown.changes.get(row)?.some((changes) => column.members.some((member) => changes[member.index]));
  if (changed) marks.push("changed");
  if (column.edge) marks.push("edge");
  const status = raw.statuses[sums.worst[reader]];
  let label = `${row.said}, ${column.said}: ${status.name}`;
  if (total > 1 && measured) label += `, ${exact} of ${measured} scenarios exact`;
  for (const mark of marks) if (raw.markWords[mark]) label += `; ${raw.markWords[mark]}`;
  const dim = shown.hidden.has(status.name)
    || (state.cause && !hasCause(state.view, shown.scenarios, row.first, reader, state.cause))
    || (state.changed && !changed && !hasTurned(row, column, shown.scenarios))
    || (state.direction && !GOES[state.direction]?.(row, column));
  return { status, marks, label, dim, share, tally: total > 1 && measured && !state.unfold ? `${exact}/${measured}` : "" };
}

function drawHead() {
  const [stackRow, eraRow, releaseRow] = table.tHead.rows;
  while (stackRow.cells.length > 1) stackRow.cells[1].remove();
  stackRow.append(...spread(columns, (c) => c.stack).map(({ key, items }) =>
    make("th", { scope: "colgroup", colspan: items.length, class: "edge" }, make("span", {}, make("small", {}, "loaded on"), ` ${key}`))));
  eraRow.replaceChildren(...spread(columns, (c) => `${c.stack} ${c.era}`).map(({ items }) =>
    make("th", { scope: "colgroup", colspan: items.length, title: `era ${letter(items[0].era)}: ${raw.eras[items[0].era].name}` }, letter(items[0].era))));
  table.querySelector("col:not(.heads)").span = columns.length || 1;
  releaseRow.replaceChildren(...columns.map((column) => make("th", { scope: "col" }, make("span", {}, column.name))));
}

const filled = new WeakMap();
// A cell is a button, with the words for it; what is there without scripts can only be read.
function fill(td, cell) {
  const wanted = `${cell.dim} ${cell.label} ${cell.marks}`;
  const before = filled.get(td);
  if (before === wanted) return;
  if (before === undefined) {
    td.replaceChildren(make("button", { type: "button", tabindex: "-1" }));
    td.removeAttribute("aria-label");
  }
  const button = buttonOf(td);
  td.className = [cell.status.name, ...cell.marks, cell.dim && "dim", cell.marks.includes("some") && `share-${cell.share}`].filter(Boolean).join(" ");
  button.setAttribute("aria-label", cell.label);
  write(button, cell);
  filled.set(td, wanted);
}
const buttonOf = (td) => td.querySelector("button");

// Text nodes are kept and get another text, which costs the browser less than new ones.
function write(button, { status, tally }) {
  const glyph = button.firstChild, small = glyph?.nextSibling;
  if (!glyph) button.append(status.glyph);
  else if (glyph.data !== status.glyph) glyph.data = status.glyph;
  if (!tally) { small?.remove(); return; }
  if (!small) button.append(make("small", {}, tally));
  else if (small.firstChild.data !== tally) small.firstChild.data = tally;
}

function drawGrid() {
  const shape = [state.unfold, state.saved, state.loaded, state.changed && `${state.view} ${state.scenario}`].join();
  const seen = inSight();
  if (shape !== drawn) {
    layOut();
    drawShape();
    [drawn, seen.top, seen.left] = [shape, 0, 0]; // where it is scrolled to is not known yet
  }
  const scenarios = shownScenarios();
  const shown = { scenarios, hidden: new Set(state.hide.split(",").filter(Boolean)), changes: new Map() };
  if (anyChange) for (const row of rows) shown.changes.set(row, row.members.map((writer) => sumsOf(state.view, scenarios, writer.index).changed));
  const lines = body();
  fillCells(lines, shown, seen);
  const rest = unfinished = () => fillCells(lines, shown, EVERYTHING);
  // Once these are on the screen, and if nothing was chosen since.
  requestAnimationFrame(() => whenIdle(() => { if (rest === unfinished) finishGrid(); }, { timeout: 200 }));
}
const body = () => [...table.querySelectorAll("tbody tr:not(.group)")];

// Cells out of sight wait until the browser has shown the others and has nothing to do.
const EVERYTHING = { top: 0, bottom: Infinity, left: 0, right: Infinity };
function fillCells(lines, shown, { top, bottom, left, right }) {
  for (let r = top; r < Math.min(bottom, rows.length); r += 1) {
    const sums = sumsOf(state.view, shown.scenarios, rows[r].first);
    const { cells } = lines[r];
    for (let c = Math.min(left, cells.length - 1); c < Math.min(right, columns.length); c += 1) fill(cells[c + 1] || lines[r].insertCell(), cellAt(rows[r], columns[c], sums, shown));
  }
  if (!table.querySelector("button[tabindex='0']")) makeReachable(lines[0]?.cells[1]);
  markChosen();
}

// Rows and columns in the window, or a few more, by the sizes of grid.css: only which are filled first hangs on it.
const narrow = matchMedia("(max-width: 40rem)");
function inSight() {
  const rem = parseFloat(getComputedStyle(root).fontSize);
  const [high, wide, head, side, groups] = [
    state.unfold ? 1.65 : 2, state.unfold ? 1.65 : narrow.matches ? 2.2 : 2.5, 9.7, narrow.matches ? 6.6 : 11.5, 1.9 * raw.stacks.length,
  ].map((size) => size * rem);
  const { scrollTop, scrollLeft, clientHeight, clientWidth } = table.parentElement;
  const { top } = table.parentElement.getBoundingClientRect();
  return {
    top: Math.max(0, Math.floor((scrollTop + Math.max(0, -top - head) - groups) / high)),
    bottom: Math.ceil((scrollTop + Math.min(clientHeight, window.innerHeight - top) - head) / high) + 1,
    left: Math.floor(scrollLeft / wide), right: Math.ceil((scrollLeft + clientWidth - side) / wide),
  };
}

// The cell of the upgrade that is asked about.
function markChosen() {
  table.querySelector("button.chosen")?.classList.remove("chosen");
  const has = (side) => ({ members }) => members.includes(side?.environment);
  const [r, c] = [rows.findIndex(has(asking?.old)), columns.findIndex(has(asking?.next))];
  const td = r >= 0 && c >= 0 && body()[r].cells[c + 1];
  if (td) buttonOf(td)?.classList.add("chosen");
}

// For what needs every cell, and as it is now.
let unfinished = null;
function finishGrid() {
  const rest = unfinished;
  unfinished = null;
  rest?.();
}
const whenIdle = window.requestIdleCallback || ((work) => setTimeout(work, 50));

// Heads and rows; cells are made when they are first filled.
function drawShape() {
  drawHead();
  table.classList.toggle("dense", !!state.unfold);
  const bodies = spread(rows, (row) => row.stack).map(({ key, items }) => make("tbody", {},
    make("tr", { class: "group" }, make("th", { scope: "rowgroup" }, make("span", {}, make("small", {}, "saved on"), ` ${key}`)), make("td", { colspan: columns.length })),
    items.map((row) => make("tr", {}, make("th", { scope: "row" }, make("b", { title: `era ${letter(row.era)}` }, letter(row.era)), row.name)))));
  while (table.tBodies.length) table.tBodies[0].remove();
  table.append(...bodies);
}

// Every release with every other can be 30 000 cells, which no screen shows: one pair of stacks then.
function keepUnfoldedSmall() {
  const size = (stack) => environments.filter((environment) => !stack || environment.stack === stack).length;
  const tooMany = () => state.unfold && size(state.saved) * size(state.loaded) > MOST_UNFOLDED;
  const newest = raw.stacks[raw.stacks.length - 1];
  if (tooMany()) state.loaded = state.loaded || newest;
  if (tooMany()) state.saved = state.saved || newest;
}

// Live counts: loads by status under every filter but the legend's own.
function countLoads() {
  const counts = new Int32Array(outcomes.length);
  const readers = environments.filter((reader) => !state.loaded || reader.stack === state.loaded);
  // With a direction, which readers count hangs on the writer's release; rows that are alike are counted once.
  const towards = (writer) => readers.filter((reader) => !state.direction || directionOf(writer, reader) === state.direction).map((reader) => reader.index);
  const faced = state.direction ? raw.releases.map((_, releaseIndex) => towards({ releaseIndex })) : [towards()];
  const alike = new Map();
  for (const writer of environments) {
    if (state.saved && writer.stack !== state.saved) continue;
    for (const scenario of shownScenarios()) {
      const key = raw.grid[state.view][scenario][writer.index] * faced.length + (state.direction ? writer.releaseIndex : 0);
      alike.set(key, (alike.get(key) || 0) + 1);
    }
  }
  for (const [key, times] of alike) {
    const row = unpacked[Math.floor(key / faced.length)], counting = faced[key % faced.length];
    for (let i = 0; i < counting.length; i += 1) {
      const outcome = row[counting[i]];
      if (outcome >= 0) counts[outcome] += times;
    }
  }
  const byStatus = new Map();
  counts.forEach((count, number) => {
    const outcome = outcomes[number];
    if (!count || (state.cause && outcome.cause !== state.cause) || (state.changed && !turned[number])) return;
    byStatus.set(outcome.status, (byStatus.get(outcome.status) || 0) + count);
  });
  return byStatus;
}

let countedFor = "";
function drawLegend() {
  const hidden = new Set(state.hide.split(",").filter(Boolean));
  const chips = [...document.querySelectorAll(".chip")];
  for (const chip of chips) chip.setAttribute("aria-pressed", String(!hidden.has(chip.dataset.status)));
  const asked = ["view", "scenario", "saved", "loaded", "direction", "cause", "changed", "unfold", "judge"].map((name) => state[name]).join();
  if (asked === countedFor) return;
  countedFor = asked;
  const counts = countLoads();
  for (const chip of chips) {
    const number = numberOf(chip.dataset.status);
    chip.querySelector(".count").textContent = digits(counts.get(number) || 0);
  }
  const mark = byId("tally-mark");
  if (mark) mark.hidden = shownScenarios().length < 2;
  let measured = 0, total = 0;
  for (const [status, count] of counts) { total += count; if (isMeasured(status)) measured += count; }
  byId("grid-count").textContent = state.changed ? changedText(total)
    : `${digits(measured)} loads measured of ${digits(total)}${state.unfold && state.loaded ? ". Every release on its own is shown for chosen stacks." : "."}`;
  const elsewhere = turnedElsewhere(total);
  byId("elsewhere").hidden = !state.changed || !(elsewhere.scenarios || elsewhere.hidden);
}

// How many loads turned that the grid does not show.
const turnedIn = new Map();
function turnedOf(view, scenario) {
  const key = `${view} ${scenario}`;
  if (!turnedIn.has(key)) {
    turnedIn.set(key, environments.reduce((sum, writer) => sum + unpacked[raw.grid[view][scenario][writer.index]].reduce((n, outcome) => n + (outcome >= 0 && turned[outcome]), 0), 0));
  }
  return turnedIn.get(key);
}
function turnedElsewhere(counted) {
  const here = new Set(shownScenarios());
  const sum = (view, scenarios) => scenarios.reduce((n, scenario) => n + turnedOf(view, scenario), 0);
  return {
    hidden: sum(state.view, [...here]) - counted,
    scenarios: sum(state.view, allScenarios.filter((scenario) => !here.has(scenario))),
    views: raw.views.reduce((n, _, view) => n + (view === state.view ? 0 : sum(view, allScenarios)), 0),
  };
}
function changedText(here) {
  const { hidden, scenarios, views } = turnedElsewhere(here);
  const more = [hidden && `${digits(hidden)} more that the filters hide`, scenarios && `${digits(scenarios)} more in other scenarios`, views && `${digits(views)} by another way to load`].filter(Boolean);
  return `${here ? digits(here) : "No"} ${here === 1 ? "load" : "loads"} changed here${more.length ? `; ${more.join(", ")}` : ""}.`;
}

function makeReachable(td) {
  if (!td) return;
  table.querySelector("button[tabindex='0']")?.setAttribute("tabindex", "-1");
  buttonOf(td)?.setAttribute("tabindex", "0");
}
const placeOf = (td) => ({ r: body().indexOf(td.parentElement), c: td.cellIndex - 1 });

let crossed = [];
function crossHair(td) {
  for (const element of crossed) element.classList.remove("cross");
  crossed = [];
  if (!td) return;
  finishGrid();
  const { r, c } = placeOf(td);
  if (r < 0) return;
  const lines = body();
  crossed = [...lines.map((tr) => tr.cells[c + 1]), ...lines[r].cells, table.tHead.rows[2].cells[c]].filter(Boolean);
  for (const element of crossed) element.classList.add("cross");
}

function setUpGrid() {
  const cellOf = (event) => event.target.closest?.("tbody tr:not(.group) > td");
  table.parentElement.addEventListener("scroll", finishGrid, { passive: true });
  window.addEventListener("beforeprint", finishGrid);
  table.addEventListener("mouseover", (event) => crossHair(cellOf(event)));
  table.addEventListener("mouseleave", () => crossHair(null));
  table.addEventListener("focusin", (event) => crossHair(cellOf(event)));
  table.addEventListener("focusout", () => crossHair(null));
  const open = (td) => { const { r, c } = placeOf(td); makeReachable(td); openCell(rows[r].members.at(-1), columns[c].members.at(-1), state.scenario); };
  table.addEventListener("click", (event) => { const td = cellOf(event); if (td) open(td); });
  table.addEventListener("keydown", (event) => {
    const td = cellOf(event);
    if (!td || event.ctrlKey || event.metaKey || event.altKey) return;
    const { r, c } = placeOf(td);
    const go = { ArrowUp: [r - 1, c], ArrowDown: [r + 1, c], ArrowLeft: [r, c - 1], ArrowRight: [r, c + 1], Home: [r, 0], End: [r, columns.length - 1] }[event.key];
    if (!go) return;
    event.preventDefault();
    finishGrid();
    const next = body()[go[0]]?.cells[go[1] + 1];
    if (!next || go[1] < 0) return;
    makeReachable(next);
    buttonOf(next).focus({ preventScroll: true });
    next.scrollIntoView({ block: "nearest", inline: "nearest" });
  });
}
