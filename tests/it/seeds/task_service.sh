# ─── 1. Text-to-image ──────────────────────────────────────
curl -X POST https://apimodels.app/api/v1/images/generations \
-H "Authorization: Bearer YOUR_API_KEY" \
-H "Content-Type: application/json" \
-d '{
"model": "gpt-image-2-beta",
"prompt": "A cinematic night-city poster with neon reflections on a rainy street",
"aspect_ratio": "16:9"
}'
# ─── 2. Image editing with a reference URL ─────────────────
curl -X POST https://apimodels.app/api/v1/images/generations \
-H "Authorization: Bearer YOUR_API_KEY" \
-H "Content-Type: application/json" \
-d '{
"model": "gpt-image-2-beta",
"prompt": "Transform this product shot into a premium e-commerce poster style",
"image_url": "https://example.com/product.jpg",
"aspect_ratio": "4:3"
}'
# ─── 3. Multi-image fusion (up to 16 references) ──────────
curl -X POST https://apimodels.app/api/v1/images/generations \
-H "Authorization: Bearer YOUR_API_KEY" \
-H "Content-Type: application/json" \
-d '{
"model": "gpt-image-2-beta",
"prompt": "Dress the model from image 1 in the outfit from image 2",
"image_urls": [
"https://example.com/model.jpg",
"https://example.com/outfit.jpg"
],
"aspect_ratio": "3:4"
}'
# ─── 4. Enable safe-for-work filter (default is off) ──────
curl -X POST https://apimodels.app/api/v1/images/generations \
-H "Authorization: Bearer YOUR_API_KEY" \
-H "Content-Type: application/json" \
-d '{
"model": "gpt-image-2-beta",
"prompt": "Family-friendly cartoon mascot",
"aspect_ratio": "1:1",
"nsfw_checker": true
}'
# ─── 5. Poll task status ───────────────────────────────────
curl "https://apimodels.app/api/v1/images/generations?task_id=TASK_ID" \
-H "Authorization: Bearer YOUR_API_KEY"
# ─── 6. Webhook (recommended for production) ──────────────
curl -X POST https://apimodels.app/api/v1/images/generations \
-H "Authorization: Bearer YOUR_API_KEY" \
-H "Content-Type: application/json" \
-d '{
"model": "gpt-image-2-beta",
"prompt": "Studio photo of a ceramic mug on a marble counter",
"aspect_ratio": "1:1",
"callback_url": "https://your-domain.com/webhook/image"
}'
