// SPDX-License-Identifier: GPL-2.0-only
/* The points of a sweep: sorted by a column, filtered by words and comparisons. */

const ROWS_MAX = 1000; // at once: more would be slow, and nobody reads them
const COMPARISON = /^([^<>=!]+)(<=|>=|!=|=|<|>)(.+)$/;
const COMPARE = {
  "<": (a, b) => a < b, "<=": (a, b) => a <= b, ">": (a, b) => a > b, ">=": (a, b) => a >= b,
  "=": (a, b) => a === b, "!=": (a, b) => a !== b,
};

function cellText(value) {
  if (value === null || value === undefined) return "";
  if (typeof value !== "number") return String(value);
  if (Number.isInteger(value) && Math.abs(value) < 1e15) return String(value);
  return String(Number(value.toPrecision(5)));
}

/* Numbers before words, what is missing last. */
function compareCells(a, b) {
  const rank = (value) => (value === null ? 2 : typeof value === "number" ? 0 : 1);
  if (rank(a) !== rank(b)) return rank(a) - rank(b);
  if (typeof a === "number") return a - b;
  return a === null ? 0 : String(a).localeCompare(String(b));
}

/* Words separated by blanks, which must all hold: text of any cell, or column>number. */
function makeFilter(text, columns) {
  const tests = text.trim().split(/\s+/).filter(Boolean).map((word) => {
    const parts = word.match(COMPARISON);
    const index = parts ? columns.findIndex((column) => column.name === parts[1]) : -1;
    if (index < 0) {
      const wanted = word.toLowerCase();
      return (row) => row.some((cell) => cellText(cell).toLowerCase().includes(wanted));
    }
    const number = Number(parts[3]);
    return (row) => {
      const cell = row[index];
      if (cell === null) return false;
      const isNumber = typeof cell === "number" && !Number.isNaN(number);
      return COMPARE[parts[2]](isNumber ? cell : String(cell), isNumber ? number : parts[3]);
    };
  });
  return (row) => tests.every((test) => test(row));
}

class PointTable {
  constructor(root, tables) {
    this.tables = tables; // of means, and of each seed
    this.table = tables.means;
    this.sort = {name: null, isUp: true};
    this.filter = element("input", {
      type: "search", placeholder: "download divergence>=0.01", "aria-label": "filter rows",
    });
    this.filter.addEventListener("input", () => this.fill());
    this.status = element("span", {role: "status"});
    const tools = element("div", {class: "tools"}, element("label", {}, "Filter ", this.filter),
      this.check("each seed", (isOn) => (this.table = isOn ? tables.seeds : tables.means)),
      this.check("all columns", (isOn) => (this.hasAll = isOn)), this.status);
    this.head = element("tr");
    this.body = element("tbody");
    const scroll = element("div", {class: "scroll", tabindex: 0, role: "region",
                                   "aria-label": "points of the sweep"},
      element("table", {}, element("thead", {}, this.head), this.body));
    root.append(tools, scroll);
    this.show();
  }

  check(label, act) {
    const box = element("input", {type: "checkbox"});
    box.addEventListener("change", () => {
      act(box.checked);
      this.show();
    });
    return element("label", {}, box, ` ${label}`);
  }

  get shownColumns() {
    return this.table.columns.map((column, index) => ({...column, index}))
      .filter((column) => this.hasAll || column.is_main);
  }

  show() {
    this.head.replaceChildren(...this.shownColumns.map((column) => {
      const button = element("button", {type: "button"}, column.name);
      button.addEventListener("click", () => this.sortBy(column.name));
      const attributes = {scope: "col", "data-name": column.name, class: column.is_text && "text"};
      return element("th", attributes, button);
    }));
    this.fill();
  }

  sortBy(name) {
    const isUp = this.sort.name === name ? !this.sort.isUp : true;
    this.sort = {name, isUp};
    this.fill();
  }

  fill() {
    const {columns, rows} = this.table;
    const found = rows.filter(makeFilter(this.filter.value, columns));
    const by = columns.findIndex((column) => column.name === this.sort.name);
    if (by >= 0) {
      const turn = this.sort.isUp ? 1 : -1;
      found.sort((a, b) => {
        const isMissing = a[by] === null || b[by] === null;
        return compareCells(a[by], b[by]) * (isMissing ? 1 : turn);
      });
    }
    for (const th of this.head.children) {
      const isBy = th.dataset.name === this.sort.name;
      th.setAttribute("aria-sort", !isBy ? "none" : this.sort.isUp ? "ascending" : "descending");
    }
    const shown = this.shownColumns;
    this.body.replaceChildren(...found.slice(0, ROWS_MAX).map((row) =>
      element("tr", {}, ...shown.map((column) => {
        const cell = element("td", {class: column.is_text && "text"}, cellText(row[column.index]));
        return cell;
      }))));
    this.status.textContent = found.length > ROWS_MAX
      ? `the first ${ROWS_MAX} of ${found.length} rows: filter them`
      : `${found.length} of ${rows.length} rows`;
  }
}
