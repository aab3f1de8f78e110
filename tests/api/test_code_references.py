"""References to code that lies elsewhere: posted and read."""

from tests.people import Person

REFERENCE = {
    "commit": "3eab2f1",
    "head": "3eab2f1",
    "branch": "main",
    "git_url": "https://git.example.org/a",
    "is_dirty": True,
}


async def test_a_code_reference_is_posted_and_read(ada: Person, bob: Person) -> None:
    await ada.http.post("/projects", json={"name": "p"})
    path = f"/ada/p/experiments/{(await ada.http.post('/ada/p/experiments')).json()['id']}/coderef"
    assert (await ada.http.get(path)).status_code == 404
    posted = await ada.http.post(path + "/", json={**REFERENCE, "id": 7})
    assert (posted.status_code, posted.json()) == (201, REFERENCE)
    assert (await ada.http.get(path)).json() == REFERENCE
    assert (await ada.http.post(path, json={})).json() == dict.fromkeys(REFERENCE)
    nothing = await ada.http.post(path + "/")  # a tracker outside of a repository
    assert (nothing.status_code, nothing.json()) == (201, dict.fromkeys(REFERENCE))
    assert (await bob.http.get(path)).status_code == 404
    bad = await ada.http.post(path, json={"is_dirty": "perhaps"})
    assert (bad.status_code, bad.json()["errors"][0]["loc"]) == (400, ["is_dirty"])
