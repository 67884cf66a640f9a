// The page asks the server what is in pictures, and shows the classes as bars. Whatever
// comes from a file name or a class name is set as text, never as HTML.

const $ = (id) => document.getElementById(id);
const drop = $("drop"), input = $("files"), state = $("state"), answers = $("answers"), models = $("models");
const shown = 50; // answers that are kept on the page

function say(text, wrong = false) {
  state.textContent = text;
  state.classList.toggle("wrong", wrong);
}

function element(name, className, text) {
  const e = document.createElement(name);
  if (className) e.className = className;
  if (text !== undefined) e.textContent = text;
  return e;
}

// ask is the answer of the server in JSON. Its errors are those that the server tells.
async function ask(path, options) {
  const response = await fetch(path, options);
  const said = await response.json().catch(() => ({}));
  if (!response.ok) throw new Error(said.error || `the server answers ${response.status}`);
  return said;
}

async function list() {
  const said = await ask("models");
  for (const m of said.models) {
    const option = element("option", "", m.network === m.name ? m.name : `${m.name} (${m.network})`);
    option.value = m.name;
    models.append(option);
  }
  $("model").hidden = said.models.length < 2;
  document.title = `hubel: ${said.models.map((m) => m.name).join(", ")}`;
}

// draw draws a picture, and the points that a network predicts: x and y from -1 to 1.
async function draw(canvas, file, points) {
  let picture;
  try {
    picture = await createImageBitmap(file);
  } catch {
    canvas.remove(); // of a kind that this browser does not show, such as TIFF
    return;
  }
  const longer = Math.max(picture.width, picture.height);
  const scale = Math.min(448, Math.max(112, longer)) / longer; // of a small one, every pixel can be seen
  const w = canvas.width = Math.max(1, Math.round(picture.width * scale));
  const h = canvas.height = Math.max(1, Math.round(picture.height * scale));
  const c = canvas.getContext("2d");
  c.imageSmoothingEnabled = scale < 1;
  c.drawImage(picture, 0, 0, w, h);
  picture.close();
  for (const [x, y] of points || []) {
    c.beginPath();
    c.arc((x + 1) / 2 * w, (y + 1) / 2 * h, Math.max(2, w / 90), 0, 2 * Math.PI);
    c.fillStyle = "#ff3b30";
    c.fill();
    c.lineWidth = 1;
    c.strokeStyle = "#fff";
    c.stroke();
  }
}

function bars(top) {
  const rows = element("ul");
  for (const g of top) {
    const row = element("li"), bar = element("div", "bar"), full = element("i");
    const percent = 100 * Math.min(1, Math.max(0, g.probability));
    full.style.width = `${percent}%`;
    bar.setAttribute("aria-hidden", "true");
    bar.append(full);
    row.append(element("span", "class", g.class), element("span", "share", `${percent.toFixed(2)} %`), bar);
    rows.append(row);
  }
  return rows;
}

function show(file, said, error) {
  const row = element("li"), canvas = element("canvas"), text = element("div", "said");
  text.append(element("h2", "", file.name || "pasted picture"));
  canvas.setAttribute("role", "img");
  canvas.setAttribute("aria-label", file.name || "pasted picture");
  if (error) text.append(element("p", "wrong", error.message));
  else if (said.top) text.append(bars(said.top));
  else text.append(element("p", "numbers", said.output.map((v) => v.toPrecision(4)).join("  ")));
  row.append(canvas, text);
  answers.prepend(row);
  while (answers.children.length > shown) answers.lastChild.remove();
  return draw(canvas, file, said && said.points);
}

async function predict(files) {
  let done = 0, failed = 0;
  for (const file of files) {
    say(`${done + 1} of ${files.length} …`);
    try {
      const said = await ask(`models/${encodeURIComponent(models.value)}/predict`, {
        method: "POST", body: file, headers: { "Content-Type": "application/octet-stream" },
      });
      await show(file, said.predictions[0]);
    } catch (error) {
      failed++;
      await show(file, null, error);
    }
    done++;
  }
  say(failed ? `${failed} of ${done} could not be predicted` : `${done} predicted`, failed > 0);
}

// One batch of files after the other, in the order in which they were given.
let last = Promise.resolve();
function queue(files) {
  files = [...files];
  if (files.length) last = last.then(() => predict(files));
}

input.addEventListener("change", () => {
  queue(input.files);
  input.value = ""; // so that the same file can be chosen again
});
drop.addEventListener("keydown", (e) => {
  if (e.key !== "Enter" && e.key !== " ") return;
  e.preventDefault();
  input.click();
});
document.addEventListener("paste", (e) => queue(e.clipboardData.files));
for (const kind of ["dragenter", "dragover", "dragleave", "drop"]) {
  document.addEventListener(kind, (e) => {
    e.preventDefault();
    drop.classList.toggle("over", kind === "dragenter" || kind === "dragover");
    if (kind === "drop") queue(e.dataTransfer.files);
  });
}

list().catch((error) => say(error.message, true));
