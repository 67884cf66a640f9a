// The buttons. The token of the address allows them; it stays in this tab.

const kept = "hubel-token";

// takeToken takes the token out of the address, so that it is not passed on with it.
function takeToken() {
  const found = /^#token=([A-Za-z0-9]+)$/.exec(location.hash);
  try {
    if (found) sessionStorage.setItem(kept, found[1]);
    if (found) history.replaceState(null, "", location.pathname);
    return found?.[1] ?? sessionStorage.getItem(kept);
  } catch { return found?.[1] ?? null; }
}

let token = takeToken();

function post(path) {
  return fetch(path, { method: "POST", headers: { Authorization: "Bearer " + token } });
}

// allowed asks whether the token is this server's.
export async function allowed() {
  if (!token) return false;
  try { return (await post("/api/token")).ok; } catch { return false; }
}

// command sends what a button asks for, and returns what went wrong, if anything.
export async function command(run, what) {
  try {
    const answer = await post(`/api/runs/${run.id}/${what}`);
    return answer.ok ? "" : (await answer.json()).error;
  } catch { return "the program does not answer"; }
}
