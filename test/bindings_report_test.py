# SPDX-License-Identifier: GPL-2.0-only
"""The page of a sweep and of single runs, as headless Chromium shows it to somebody who uses it."""

import itertools
import json
import random
import struct

import colo
import pytest
from colo import _report, _report_run
from report_browser import (
    GUTTER_PX,
    Page,
    browser,
    colo_report,
    is_drawn_on,
    requests_of,
    written,
)
from scenario_program import read_pcap, read_tcp
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys

SHIM = 10  # bytes between addresses and ethertype on sec_dev
SEEDS = (1, 2)
GRID = {"workload": ["tls", "request-response"], "divergence": [0.2, 0, 0.05]}
POINTS = list(itertools.product(*GRID.values()))
MISMATCHES_SEEN = 5
EVIL = "<script>document.title = 'broken'</script>&\"'"
MISMATCH_LANE_PX = 26 + 6 + 88 + 6 + 30 + 6 + 30 + 6 + 15


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    """A folder of runs, of which each has its own story."""
    folder = tmp_path_factory.mktemp("runs")
    colo.run(out=folder / "web", trace=True, workload="request-response", requests=200,
             divergence=0.1, seed=3)
    colo.run(out=folder / "killed", trace=True, workload="request-response", requests=60,
             fail="kill-primary@10ms")
    colo.run(out=folder / "late", trace=True, workload="lookups", requests=20, divergence=0,
             attributes={"ns3::ColoDivergence::RandomQueryIds": True})
    colo.run(out=folder / "pairs", trace=True, workload="tls", requests=20, pairs=2, pcap="none")
    return folder


@pytest.fixture(scope="module")
def results(tmp_path_factory):
    """A sweep's folder; one run has failed, and the last line is being written."""
    folder = tmp_path_factory.mktemp("sweep") / "results"
    colo.sweep(GRID, seeds=SEEDS, requests=20, out=folder, progress=False)
    about = json.loads((folder / "sweep.json").read_text())
    about["grid"]["workload"].append(EVIL)
    (folder / "sweep.json").write_text(json.dumps(about))
    point = {"workload": EVIL, "divergence": 0.05, "seed": 1}
    line = {"point": point, "summary": None, "error": f"it is no workload: {EVIL}", "seconds": 0.1}
    with (folder / "results.jsonl").open("a") as file:
        file.write(json.dumps(line) + '\n{"torn": ')
    return folder


@pytest.fixture(scope="module")
def sweep_page(browser, results, tmp_path_factory):
    return Page(browser, written(results, tmp_path_factory.mktemp("page") / "sweep.html"))


@pytest.fixture(scope="module")
def run_page_path(runs, tmp_path_factory):
    return written(runs, tmp_path_factory.mktemp("page") / "runs.html")


@pytest.fixture
def run_page(browser, run_page_path):
    return Page(browser, run_page_path)


def test_sweep_renders_quietly(sweep_page, browser):
    images = sweep_page.find(".plots img")
    assert len(images) == 8  # four plots over each axis
    assert all(sweep_page.script("return arguments[0].naturalWidth > 100", each) for each in images)
    assert all(each.get_attribute("alt") for each in images)
    assert browser.get_log("browser") == []
    assert requests_of(browser) == [sweep_page.path.as_uri()]
    text = browser.find_element(By.TAG_NAME, "body").text
    for fact in ("0.2, 0, 0.05", "requests", "1, 2", "13, of which 1 failed"):
        assert fact in text, fact


def test_names_are_text_whatever_they_are(sweep_page, browser):
    assert browser.title == "COLO: results"
    assert EVIL in sweep_page.column("workload")
    assert f"it is no workload: {EVIL}" in browser.find_element(By.TAG_NAME, "details").text
    scripts = sweep_page.script("return document.scripts.length")
    assert scripts == 2  # the data and ours


def test_table_has_means_over_seeds(sweep_page, results):
    table = colo.load(results)
    rows = dict(zip(zip(sweep_page.column("workload"), sweep_page.column("divergence")),
                    zip(sweep_page.column("seeds"), sweep_page.column("throughput_mbps"))))
    assert len(rows) == len(POINTS) + 1
    for workload, rate in POINTS:
        of_point = table[(table.workload == workload) & (table.divergence == rate)]
        seeds, mean = rows[workload, str(rate)]
        assert int(seeds) == len(SEEDS)
        assert float(mean) == pytest.approx(of_point.throughput_mbps.mean(), rel=1e-4)


def test_table_sorts(sweep_page):
    unsorted = sweep_page.column("checkpoints")
    assert sweep_page.sort("checkpoints") == "ascending"
    up = [float(cell) for cell in sweep_page.column("checkpoints") if cell]
    assert up == sorted(up) and len(set(up)) > 2
    assert sweep_page.column("checkpoints") != unsorted
    assert sweep_page.column("checkpoints")[-1] == ""  # the point that failed
    assert sweep_page.sort("checkpoints") == "descending"
    down = [float(cell) for cell in sweep_page.column("checkpoints") if cell]
    assert down == up[::-1]
    assert sweep_page.column("checkpoints")[-1] == ""
    assert sweep_page.sort("workload") == "ascending"
    names = sweep_page.column("workload")
    assert names.index("request-response") < names.index("tls")
    assert [th.get_attribute("aria-sort") for th in sweep_page.find("th")].count("none") == (
        len(sweep_page.find("th")) - 1)


def test_table_sorts_by_keyboard(sweep_page):
    sweep_page.sort("divergence")
    [head] = sweep_page.find("th[data-name='seeds'] button")
    head.send_keys(Keys.ENTER)
    [head] = sweep_page.find("th[data-name='seeds']")
    assert head.get_attribute("aria-sort") == "ascending"


def test_table_filters_and_shows_each_seed(sweep_page):
    [search] = sweep_page.find("input[type=search]")
    each_seed, all_columns = sweep_page.find(".tools input[type=checkbox]")
    search.send_keys("divergence>=0.05 TLS")
    assert sorted(sweep_page.column("divergence")) == ["0.05", "0.2"]
    assert set(sweep_page.column("workload")) == {"tls"}
    each_seed.click()
    assert sorted(sweep_page.column("seed")) == ["1", "1", "2", "2"]
    narrow = len(sweep_page.find("th"))
    all_columns.click()
    assert len(sweep_page.find("th")) > narrow
    each_seed.click()
    all_columns.click()
    search.clear()
    search.send_keys("nothing-like-it")
    assert sweep_page.column("workload") == []
    search.clear()
    search.send_keys(" ")
    assert len(sweep_page.column("workload")) == len(POINTS) + 1


def test_runs_render_quietly(run_page, browser):
    assert [each.text for each in run_page.find("h2")] == [
        f"Run {name}" for name in ("killed", "late", "pairs", "web")]
    for link in run_page.find("nav a"):
        assert run_page.find(link.get_attribute("href").split("#")[1].join(["[id='", "']"]))
    assert len(run_page.find("canvas")) == 4
    assert browser.get_log("browser") == []
    assert requests_of(browser) == [run_page.path.as_uri()]
    assert run_page.script("return performance.getEntriesByType('resource').length") == 0


def test_lanes_show_what_happened(run_page):
    held, mismatch, failover = (33, 118), (196, 222), (330, 355)
    web, killed, late = (run_page.timeline(name) for name in ("web", "killed", "late"))
    assert is_drawn_on(web, *held) and is_drawn_on(web, *mismatch)
    assert not is_drawn_on(web, *failover)
    assert is_drawn_on(killed, *failover)
    assert is_drawn_on(late, *mismatch)


def test_timeline_zooms_where_the_wheel_is(run_page):
    timeline = run_page.timeline("web")
    whole = timeline.range
    packets = timeline.shown
    assert packets > 200
    x = 400
    at = whole[0] + (x - GUTTER_PX) / (timeline.canvas.size["width"] - GUTTER_PX - 10) * (
        whole[1] - whole[0])
    for _ in range(6):
        timeline.wheel(x, -120)
    start, end = timeline.range
    assert end - start < (whole[1] - whole[0]) / 3
    assert timeline.x_of(at) == pytest.approx(x, abs=3)
    assert 0 < timeline.shown < packets
    for _ in range(12):
        timeline.wheel(x, 120)
    assert timeline.range == pytest.approx(whole)


def test_timeline_pans_and_resets(run_page):
    timeline = run_page.timeline("web")
    whole = timeline.range
    timeline.button("zoom in")
    timeline.button("zoom in")
    start, end = timeline.range
    move = timeline.move_to(600, 60)
    move.click_and_hold().move_by_offset(-120, 0).release().perform()
    moved, moved_end = timeline.range
    width = timeline.canvas.size["width"] - GUTTER_PX - 10
    assert moved - start == pytest.approx(120 / width * (end - start), rel=0.05)
    assert moved_end - moved == pytest.approx(end - start)
    timeline.button("show all")
    assert timeline.range == pytest.approx(whole)


def test_timeline_obeys_keys(run_page):
    timeline = run_page.timeline("web")
    whole = timeline.range
    timeline.press("+", Keys.ARROW_UP)
    zoomed = timeline.range
    assert zoomed[1] - zoomed[0] < (whole[1] - whole[0]) * 0.7
    timeline.press(Keys.ARROW_RIGHT)
    assert timeline.range[0] > zoomed[0] and timeline.span == pytest.approx(zoomed[1] - zoomed[0])
    timeline.press(Keys.ARROW_LEFT, Keys.ARROW_LEFT)
    assert timeline.range[0] < zoomed[0]
    timeline.press(*[Keys.ARROW_LEFT] * 20)
    assert timeline.range[0] == pytest.approx(whole[0])  # there is nothing before
    assert timeline.span == pytest.approx(zoomed[1] - zoomed[0])
    timeline.press(Keys.HOME)
    assert timeline.range == pytest.approx(whole)
    timeline.press("n")
    assert "mismatch 1 of" in timeline.root.text


def test_pointer_tells_of_a_packet(run_page):
    timeline = run_page.timeline("web")
    timeline.button("next mismatch")
    [hover] = timeline.root.find_elements(By.CLASS_NAME, "hover")
    assert not hover.is_displayed()
    [first] = run_page.script("return DATA.runs.filter((run) => run.name === 'web')"
                              ".map((run) => run.mismatches[0])")
    timeline.move_to(timeline.x_of(first["t"]), MISMATCH_LANE_PX).perform()
    assert hover.is_displayed()
    assert first["flow"] in hover.text and str(first["position"]) in hover.text


def expected_marks(frame, other):
    """Offsets of the payload's bytes that differ at one place of the stream, and those alone."""
    mine, theirs = read_tcp(frame), read_tcp(other)
    payload_at = len(frame) - len(mine.payload)  # no frame is so short as to be padded
    differs, alone = set(), set()
    for i, byte in enumerate(mine.payload):
        there = mine.seq + i - theirs.seq
        if not 0 <= there < len(theirs.payload):
            alone.add(payload_at + i)
        elif theirs.payload[there] != byte:
            differs.add(payload_at + i)
    header = {i for i in range(payload_at) if frame[i] != other[i]}
    return {"differs": differs, "header": header, "alone": alone}


def test_mismatch_shows_the_bytes_that_differ(run_page, runs):
    sent = {frame for _, frame in read_pcap(runs / "web/primary-tap0.pcap")}
    shimmed = (frame for _, frame in read_pcap(runs / "web/sec_dev.pcap"))
    forwarded = {frame[:12] + frame[12 + SHIM:] for frame in shimmed}
    lines = [json.loads(line) for line in (runs / "web/timeline.jsonl").open()]
    lines = [line for line in lines if line["event"] == "mismatch"]
    assert len(lines) > 4
    timeline = run_page.timeline("web")
    for number, line in enumerate(lines[:MISMATCHES_SEEN], 1):
        timeline.button("next mismatch")
        text = timeline.root.text
        assert f"mismatch {number} of {len(lines)}" in text
        assert line["flow"] in text and f"position {line['position']}" in text
        (primary, of_primary), (secondary, of_secondary) = map(
            timeline.marked, ("primary", "secondary"))
        assert primary in sent and secondary in forwarded
        for frame in (primary, secondary):
            tcp = read_tcp(frame)
            assert f"seq {tcp.seq} " in text
            assert tcp.seq <= line["position"] < tcp.seq + len(tcp.payload)
        assert of_primary == expected_marks(primary, secondary)
        assert of_secondary == expected_marks(secondary, primary)
        assert of_primary["differs"]


def ethernet(ethertype, packet, tag=b""):
    return bytes(12) + tag + ethertype.to_bytes(2, "big") + packet


def ipv4(protocol, above):
    return struct.pack(">BBHHHBBH4s4s", 0x45, 0, 20 + len(above), 7, 0, 64, protocol, 0,
                       bytes([10, 0, 0, 100]), bytes([10, 0, 0, 1])) + above


def ipv6(protocol, above):
    guest, client = (bytes([0x20, 1, 13, 184] + [0] * 11 + [last]) for last in (9, 1))
    return struct.pack(">IHBB", 6 << 28, len(above), protocol, 64) + guest + client + above


def tcp(seq, payload, flags=0x10):
    return struct.pack(">HHIIBBHHH", 80, 20000, seq, 5, 5 << 4, flags, 9000, 0, 0) + payload


def udp(payload):
    return struct.pack(">HHHH", 53, 20000, 8 + len(payload), 0) + payload


TAG = bytes([0x81, 0, 0, 5])
NEAR_END = 2**32 - 3
# Both frames, the headers' line, and the offsets that differ or stand alone in each.
PAIRS_OF_FRAMES = {
    "cut elsewhere": (
        ethernet(0x800, ipv4(6, tcp(100, b"abcdefgh"))),
        ethernet(0x800, ipv4(6, tcp(104, b"efXhij"))),
        "TCP 10.0.0.100:80 > 10.0.0.1:20000 [ACK] seq 100 ack 5 window 9000, 8 bytes",
        ({54 + 6}, {54, 55, 56, 57}), ({54 + 2}, {58, 59})),
    "around the end of numbers": (
        ethernet(0x86DD, ipv6(6, tcp(NEAR_END, b"abcdef")), TAG),
        ethernet(0x86DD, ipv6(6, tcp(1, b"eFgh")), TAG),
        f"TCP [2001:db8::9]:80 > [2001:db8::1]:20000 [ACK] seq {NEAR_END} ack 5 window 9000, 6 b",
        ({78 + 5}, {78, 79, 80, 81}), ({78 + 1}, {80, 81})),
    "datagrams": (
        ethernet(0x800, ipv4(17, udp(b"abc"))) + bytes(13),
        ethernet(0x800, ipv4(17, udp(b"aXcde"))) + bytes(11),
        "UDP 10.0.0.100:53 > 10.0.0.1:20000, 3 bytes",
        ({43}, set()), ({43}, {45, 46})),
    "a SYN": (
        ethernet(0x800, ipv4(6, tcp(100, b"ab", flags=0x12))),
        ethernet(0x800, ipv4(6, tcp(101, b"aX"))),
        "TCP 10.0.0.100:80 > 10.0.0.1:20000 [SYN ACK] seq 100 ack 5 window 9000, 2 bytes",
        ({55}, set()), ({55}, set())),
    "nothing but an address": (bytes(13), bytes(12) + b"x", "a frame that cannot be read",
                               ({12}, set()), ({12}, set())),
}


def test_marks_follow_the_stream(browser, tmp_path):
    """However the guests have cut it, and whatever is around it."""
    (tmp_path / "made").mkdir()
    with (tmp_path / "made/timeline.jsonl").open("w") as file:
        for t, (primary, secondary, *_) in enumerate(PAIRS_OF_FRAMES.values()):
            frames = {role: {"frame": frame.hex(), "bytes": len(frame)}
                      for role, frame in (("primary", primary), ("secondary", secondary))}
            file.write(json.dumps({"t_ns": t * 1000, "event": "mismatch", **frames}) + "\n")
    page = Page(browser, written(tmp_path / "made", tmp_path / "made.html"))
    timeline = page.timeline("made")
    for name, (primary, secondary, line, *expected) in PAIRS_OF_FRAMES.items():
        timeline.button("next mismatch")
        assert line in timeline.root.text, name
        for role, frame, (differs, alone) in zip(("primary", "secondary"), (primary, secondary),
                                                 expected):
            shown, marks = timeline.marked(role)
            assert shown == frame
            assert (marks["differs"], marks["alone"]) == (differs, alone), (name, role)


def test_click_chooses_a_mismatch(run_page, runs):
    timeline = run_page.timeline("web")
    assert not timeline.root.find_elements(By.CSS_SELECTOR, ".packets")
    last = [json.loads(line) for line in (runs / "web/timeline.jsonl").open()
            if '"mismatch"' in line][-1]
    timeline.move_to(timeline.x_of(last["t_ns"]), MISMATCH_LANE_PX).click().perform()
    assert f"position {last['position']}" in timeline.root.text
    assert timeline.marked("primary")[0].hex() == last["primary"]["frame"]


def test_packet_that_never_came_is_said(run_page):
    timeline = run_page.timeline("late")
    timeline.button("next mismatch")
    assert timeline.marked("primary")[1] == {"differs": set(), "header": set(), "alone": set()}
    assert f"timeout-data ({colo.rules.reason('timeout-data').text})" in timeline.root.text
    assert "There is none: the secondary had not sent any" in timeline.root.text


def test_pairs_can_be_looked_at_alone(run_page):
    timeline = run_page.timeline("pairs")
    both = timeline.shown
    [choice] = timeline.root.find_elements(By.TAG_NAME, "select")
    shown = []
    for pair in ("0", "1"):
        choice.send_keys(pair)
        shown.append(timeline.shown)
    assert sum(shown) == both and min(shown) > 0


def test_page_is_dark_where_the_reader_wants_it(run_page, browser):
    ground = "return getComputedStyle(document.body).backgroundColor"
    grounds = []
    for scheme in ("light", "dark"):
        browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {
            "features": [{"name": "prefers-color-scheme", "value": scheme}]})
        grounds.append(run_page.script(ground))
    browser.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": []})
    assert grounds[0] == "rgb(255, 255, 255)" != grounds[1]


def synthetic(folder, packets):
    """A long run: as many packets, one of fifty dropped, all held for 0.1 to 2 ms."""
    draw = random.Random(5)
    lines = []
    for i in range(packets):
        start = i * 10_000 + draw.randrange(5_000)
        end = start + draw.randrange(100_000, 2_000_000)
        packet = (f'"side":"primary","flow":"10.0.0.100:80 > 10.0.0.1:{i % 100}","seq":{i},'
                  '"bytes":1460')
        left = "release" if i % 50 else "drop"
        lines.append((start, f'{{"t_ns":{start},"pair":0,"event":"hold",{packet},"held_ns":70}}'))
        lines.append((end, f'{{"t_ns":{end},"pair":0,"event":"{left}",{packet},"held_ns":99}}'))
    folder.mkdir()
    (folder / "timeline.jsonl").write_text("".join(line + "\n" for _, line in sorted(lines)))


def test_long_runs_stay_smooth(browser, tmp_path):
    synthetic(tmp_path / "long", 100_000)
    page = Page(browser, written(tmp_path / "long", tmp_path / "long.html"))
    timeline = page.timeline("long")
    assert timeline.shown == 100_000
    drawn_ms = []
    for _ in range(9):
        timeline.button("zoom in")
        page.settle()
        drawn_ms.append(float(timeline.root.get_attribute("data-drawn_ms")))
    assert sorted(drawn_ms)[4] < 150, drawn_ms  # 2 to 40 on an idle machine
    assert page.path.stat().st_size < 5_000_000


def test_too_much_is_left_out_and_said(tmp_path, monkeypatch):
    synthetic(tmp_path / "long", 200)
    timeline = tmp_path / "long/timeline.jsonl"
    frame = {"frame": "00" * 60, "bytes": 60}
    mismatches = [{"t_ns": t, "pair": 0, "event": "mismatch", "flow": "", "position": 0,
                   "reason": "bytes", "primary": frame, "secondary": frame} for t in range(9)]
    with timeline.open("a") as file:
        file.writelines(json.dumps(each) + "\n" for each in mismatches)
        file.write('{"t_ns": 5, "event": "rel')
    monkeypatch.setattr(_report, "Bounds",
                        lambda: _report_run.Bounds(packets=150, others=7, frame_digits=500))
    text = colo.report(tmp_path / "long", tmp_path / "page.html").read_text()
    for note in ("Only the first 150 packets are shown; 50 have been left out.",
                 "2 mismatches, checkpoints and pauses have been left out.",
                 "The packets of 5 mismatches have been left out.",
                 "1 lines of the timeline could not be used."):
        assert note in text, note


def test_odd_values_are_shown_or_left_out(browser, tmp_path):
    odd = [
        '{"t_ns": 1, "pair": 0, "event": "hold", "flow": "</script><b>", "seq": 1e99, "bytes": -1}',
        '{"t_ns": 99999999999999999999999, "event": "release"}', '{"t_ns": -1, "event": "release"}',
        '{"t_ns": NaN, "event": "release"}', "[1]", "null", '{"t_ns": 2, "event": "unknown"}',
        '{"t_ns": 3, "event": ["release"]}', "[" * 100_000,
        '{"t_ns": 4, "pair": 0, "event": "mismatch", "flow": 7, "position": "x", "reason": null,'
        ' "primary": {"frame": "0g"}, "secondary": {"frame": "00ff"}}',
        '{"t_ns": 9007199254740991, "event": "failover", "host": "<i>", "step": "<u>"}',
    ]
    (tmp_path / "odd").mkdir()
    (tmp_path / "odd/timeline.jsonl").write_text("\n".join(odd))
    (tmp_path / "odd/summary.json").write_text(
        json.dumps({"workload": EVIL, "seed": 10**400, "throughput_mbps": float("nan")}))
    page = Page(browser, written(tmp_path, tmp_path / "page.html"))
    assert "8 lines of the timeline could not be used." in browser.page_source
    timeline = page.timeline("odd")
    assert timeline.shown == 1
    timeline.button("next mismatch")
    assert timeline.marked("secondary")[0] == b"\x00\xff"
    timeline.press(*"+" * 200)
    assert timeline.span < 1000
    timeline.press(Keys.HOME)
    assert browser.get_log("browser") == []
    assert EVIL in page.find("dd")[0].text


def break_summary(folder):
    (folder / "summary.json").write_text('{"seed": ')


def break_sweep(folder):
    (folder / "sweep.json").write_text("[]")
    (folder / "results.jsonl").write_text("{}\n")


@pytest.mark.parametrize("damage, said", [
    (lambda folder: None, "has no results of a sweep, nor of a run"),
    (lambda folder: folder.rmdir(), "is not there"),
    (break_summary, "summary.json: is no JSON"),
    (break_sweep, "sweep.json"),
])
def test_wrong_input_is_one_line(tmp_path, damage, said):
    (tmp_path / "input").mkdir()
    damage(tmp_path / "input")
    page = tmp_path / "page.html"
    page.write_text("as it was")
    done = colo_report(tmp_path / "input", "-o", page)
    assert done.returncode == 2
    assert done.stderr.startswith("colo report: ") and done.stderr.count("\n") == 1
    assert said in done.stderr and str(tmp_path / "input") in done.stderr
    assert page.read_text() == "as it was"
    assert sorted(path.name for path in tmp_path.iterdir()) in (["input", "page.html"],
                                                                 ["page.html"])


@pytest.mark.parametrize("out, said", [("", "is a folder"), ("gone/page.html", "No such file")])
def test_page_that_cannot_be_written_is_one_line(runs, tmp_path, out, said):
    with pytest.raises(colo.UsageError, match=said):
        colo.report(runs / "web", tmp_path / out)
    assert list(tmp_path.iterdir()) == []


def test_run_without_trace_has_figures_and_says_so(tmp_path):
    colo.run(out=tmp_path / "plain", requests=5, workload="dns")
    text = colo.report(tmp_path / "plain", tmp_path / "page.html").read_text()
    assert "No timeline: the run was made without --trace." in text
    assert "<dd>dns</dd>" in text


@pytest.mark.parametrize("results, said", [
    ("", ["No run has finished yet."]),
    ('{"point": {"divergence": 0, "seed": 1}, "summary": null, "error": "<died>", "seconds": 1}\n',
     ["1, of which 1 failed", "divergence=0, seed=1: &lt;died&gt;"]),
])
def test_sweep_without_figures_says_why(tmp_path, results, said):
    about = {"format": 1, "colo": colo.__version__, "grid": {"divergence": [0]}, "fixed": {},
             "seeds": [1]}
    (tmp_path / "sweep.json").write_text(json.dumps(about))
    (tmp_path / "results.jsonl").write_text(results)
    text = colo.report(tmp_path, tmp_path / "page.html").read_text()
    for words in said:
        assert words in text, words


def test_same_results_give_the_same_page(runs, tmp_path):
    texts = [colo.report(runs, tmp_path / name).read_bytes() for name in ("a.html", "b.html")]
    assert texts[0] == texts[1]
