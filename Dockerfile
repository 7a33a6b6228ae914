# Huntaze, for web, worker and dispatch alike; docker-compose.yml says which is which.
FROM python:3.12-slim

ENV PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1 PIP_NO_CACHE_DIR=1
WORKDIR /srv/huntaze
COPY requirements.txt .
RUN pip install --disable-pip-version-check -r requirements.txt
COPY . .
# The throw-away key signs nothing: it is gone with this line.
RUN SECRET_KEY=collectstatic python manage.py collectstatic --noinput && useradd --system --create-home huntaze
USER huntaze
EXPOSE 8000
CMD ["gunicorn", "huntaze.wsgi", "--bind", "0.0.0.0:8000", "--worker-class", "gthread", "--workers", "2", "--threads", "4", "--no-control-socket"]
