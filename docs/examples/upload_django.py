"""Django, in one file: an upload is checked before anybody sees it. In your project, take the two views and the paths.

Run it: ``pip install django``, then ``python upload_django.py runserver --noreload 8000``; and every minute, from cron
or whatever runs your commands, ``python upload_django.py again``.
"""

from __future__ import annotations

import os
import secrets
import sys

import hook
from django.conf import settings
from django.core.management import execute_from_command_line
from django.core.wsgi import get_wsgi_application
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.urls import path
from django.views.decorators.csrf import csrf_exempt
from django.views.decorators.http import require_POST

BYTES_MAX = 50_000_000

if not settings.configured:
    settings.configure(
        SECRET_KEY=os.environ.get("DJANGO_SECRET_KEY", secrets.token_hex(32)),
        ALLOWED_HOSTS=["127.0.0.1", "localhost"],
        ROOT_URLCONF=__name__,
        DATA_UPLOAD_MAX_MEMORY_SIZE=1 << 20,  # of forms and events; files are bounded by BYTES_MAX
    )


@require_POST
def upload(request: HttpRequest) -> JsonResponse:
    """Take an upload. The uploader is not told what matched."""
    file = request.FILES.get("file")
    if file is None or file.size > BYTES_MAX:
        return JsonResponse({"error": "one file, not too large"}, status=400)
    reference, answer = hook.receive(file.read())
    return JsonResponse({"id": reference, "state": "held" if answer["advice"] == "act" else "published"}, status=201)


@csrf_exempt  # a program sends it, and signs it
@require_POST
def events(request: HttpRequest) -> HttpResponse:
    """What the sidecar finds out later."""
    try:
        hook.event(request.headers, request.body)
    except ValueError as error:
        return HttpResponse(str(error), status=401)
    return HttpResponse(status=204)


urlpatterns = [path("upload", upload), path("hashpact-events", events)]
application = get_wsgi_application()

if __name__ == "__main__":
    if sys.argv[1:] == ["again"]:
        hook.check_again()
    else:
        execute_from_command_line(sys.argv)
