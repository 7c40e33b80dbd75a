"""A tiny OpenID Connect provider that knows one person and asks for nothing: python oidc_provider.py PORT

Serves discovery, authorisation, token and keys as RFC 6749 and OpenID Connect Core say; for tests only.
"""

from __future__ import annotations

import secrets
import sys
import time
from urllib.parse import urlencode

import uvicorn
from joserfc import jwt
from joserfc.jwk import RSAKey
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, RedirectResponse, Response
from starlette.routing import Route

KEY = RSAKey.generate_key(2048, parameters={"kid": "one", "use": "sig", "alg": "RS256"})
CLIENT, SECRET = "facegpt", "a secret of the test"
EMAIL = "ada@example.org"


def provider(address: str) -> Starlette:
    """The provider as it stands at this address."""
    asked: dict[str, str] = {}  # code -> nonce

    async def discovery(request: Request) -> Response:
        return JSONResponse(
            {
                "issuer": address,
                "authorization_endpoint": f"{address}/authorize",
                "token_endpoint": f"{address}/token",
                "jwks_uri": f"{address}/keys",
                "response_types_supported": ["code"],
                "subject_types_supported": ["public"],
                "id_token_signing_alg_values_supported": ["RS256"],
            }
        )

    async def authorize(request: Request) -> Response:
        wish = request.query_params
        if wish["client_id"] != CLIENT or wish["response_type"] != "code":
            return JSONResponse({"error": "unauthorized_client"}, status_code=400)
        code = secrets.token_urlsafe()
        asked[code] = wish.get("nonce", "")
        return RedirectResponse(
            f"{wish['redirect_uri']}?{urlencode({'code': code, 'state': wish['state']})}", status_code=302
        )

    async def token(request: Request) -> Response:
        form = await request.form()
        code = str(form["code"])
        if code not in asked:
            return JSONResponse({"error": "invalid_grant"}, status_code=400)
        now = int(time.time())
        claims = {
            "iss": address, "aud": CLIENT, "sub": "ada", "email": EMAIL, "name": "Ada",
            "iat": now, "exp": now + 600, "nonce": asked.pop(code),
        }  # fmt: skip
        signed = jwt.encode({"alg": "RS256", "kid": "one"}, claims, KEY)
        return JSONResponse(
            {
                "access_token": secrets.token_urlsafe(),
                "token_type": "Bearer",
                "expires_in": 600,
                "id_token": signed,
            }
        )

    async def keys(request: Request) -> Response:
        return JSONResponse({"keys": [KEY.as_dict(private=False)]})

    return Starlette(
        routes=[
            Route("/.well-known/openid-configuration", discovery),
            Route("/authorize", authorize),
            Route("/token", token, methods=["POST"]),
            Route("/keys", keys),
        ]
    )


if __name__ == "__main__":
    port = int(sys.argv[1])
    uvicorn.run(provider(f"http://127.0.0.1:{port}"), host="127.0.0.1", port=port, log_level="warning")
